"""The steps in the browser."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from script.home_assistant.client import Client
from simulator import PROVIDERS, Simulator

from .account_setup import AccountSetup
from .card import Card
from .failures import Failures
from .screen import Screen
from .sending import Sending

type Step = Callable[[], Awaitable[None]]


def steps(
    screen: Screen, simulator: Simulator, client: Client, card: Card
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
    yield "add the card to a dashboard", card.add
    yield "write a message in the card", card.write
    yield "schedule a message and cancel it", card.cancel
    yield "send a message again that failed", card.send_again
    yield "look at the card in the dark and on a phone", card.take_pictures
    yield "show what looks like HTML as it is", card.inject
    yield "show a running escalation", card.show_escalation
    yield "restart Home Assistant below the card", card.survive_restart
    yield "go through ten thousand messages", card.go_back
    yield "read no text as another user", card.hide_texts
