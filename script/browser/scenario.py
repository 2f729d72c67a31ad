"""What the person does in the browser, step by step."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from script.development.home_assistant import HomeAssistant
from simulator import PROVIDERS, Simulator

from .everyday import Everyday
from .screen import Screen
from .setting_up import SettingUp
from .trouble import Trouble

type Step = Callable[[], Awaitable[None]]


def steps(
    screen: Screen, simulator: Simulator, home_assistant: HomeAssistant
) -> Iterator[tuple[str, Step]]:
    """Yield the steps in their order, each with what it does.

    A step raises AssertionError, or Playwright's errors, if something is not as it
    should be.
    """
    setting_up = SettingUp(screen=screen, simulator=simulator)
    everyday = Everyday(
        screen=screen, simulator=simulator, home_assistant=home_assistant
    )
    trouble = Trouble(screen=screen, simulator=simulator)
    yield "log in", setting_up.log_in
    for provider in PROVIDERS:
        yield f"set up {provider}", partial(setting_up.set_up, provider)
    yield "change the options", setting_up.change_options
    yield "send from the actions page", everyday.send
    yield "read the SMS on the phone", everyday.read_phone
    yield "read the account's device page", everyday.read_device
    yield "send tests to the other recipients", everyday.send_tests
    yield "read the dashboard", everyday.read_dashboard
    yield "sign in again after a change of password", trouble.sign_in_again
    yield "run out of credit and top up", trouble.run_out_of_credit
