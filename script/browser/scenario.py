"""The steps in the browser."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from script.home_assistant.client import Client
from simulator import PROVIDERS, Simulator

from .account_setup import AccountSetup
from .failures import Failures
from .screen import Screen
from .sending import Sending

type Step = Callable[[], Awaitable[None]]


def steps(
    screen: Screen, simulator: Simulator, client: Client
) -> Iterator[tuple[str, Step]]:
    """Yield the steps in order, each after its name.

    A step raises AssertionError, or Playwright's errors, if something is not as
    expected.
    """
    account_setup = AccountSetup(screen=screen, simulator=simulator)
    sending = Sending(screen=screen, simulator=simulator, client=client)
    failures = Failures(screen=screen, simulator=simulator)
    yield "log in", account_setup.log_in
    for provider in PROVIDERS:
        yield f"set up {provider}", partial(account_setup.set_up, provider)
    yield "change the options", account_setup.change_options
    yield "send from the actions page", sending.send
    yield "read the SMS on the phone", sending.read_phone
    yield "read the account's device page", sending.read_device
    yield "send tests to the other recipients", sending.send_tests
    yield "read the dashboard", sending.read_dashboard
    yield "sign in again after a change of password", failures.sign_in_again
    yield "run out of credit and top up", failures.run_out_of_credit
