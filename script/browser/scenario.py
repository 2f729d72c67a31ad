"""The steps in the browser."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from script.home_assistant.client import Client
from simulator import PROVIDERS, Simulator

from .account_setup import AccountSetup
from .automations import Automations
from .card import Card
from .card_alone import CardAlone
from .escalation import Escalation
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
    escalation = Escalation(screen=screen, simulator=simulator, card=card)
    automations = Automations(screen=screen, client=client)
    failures = Failures(screen=screen, simulator=simulator)
    alone = CardAlone(page=screen.page)
    yield "log in", account_setup.log_in
    for provider in PROVIDERS:
        yield f"set up {provider}", partial(account_setup.set_up, provider)
    yield "change the options", account_setup.change_options
    yield "send from the actions page", sending.send
    yield "read the SMS on the phone", sending.read_phone
    yield "read the account's device page", sending.read_device
    yield "send tests to the other recipients", sending.send_tests
    yield "read the dashboard", sending.read_dashboard
    yield "find our triggers in the editor", automations.find_triggers
    yield "read the form of a blueprint", automations.read_blueprint
    yield "sign in again after a change of password", failures.sign_in_again
    yield "run out of credit and top up", failures.run_out_of_credit
    yield "add the card to a dashboard", card.add
    yield "write a message in the card", partial(card.write, screen.labels.greeting)
    yield "schedule a message and cancel it", card.cancel
    yield "send a message again that failed", partial(card.send_again, 1)
    yield "look at the card in the dark and on a phone", card.take_pictures
    yield "set up an escalation", escalation.set_up
    yield "let the card begin it", escalation.begin
    yield "hold a phone", card.hold_phone
    yield "write a message there", partial(card.write, screen.labels.late)
    yield "schedule and cancel one there", card.cancel
    yield "send one again there", partial(card.send_again, 2)
    yield "acknowledge for the second person", escalation.acknowledge
    yield "put the phone away", card.put_phone_away
    yield "read the escalation's device page", escalation.read_device
    yield "return to the card", card.open
    yield "show what looks like HTML as it is", card.inject
    yield "show how long the credit lasts", card.show_days
    yield "restart Home Assistant below the card", card.survive_restart
    yield "go through ten thousand messages", card.go_back
    yield "keep writing while the card changes", alone.keep_writing
    yield "write while another text is sent", alone.write_while_another_is_sent
    yield "write to a recipient who is away for a moment", alone.write_to_the_same
    yield "keep the button of an escalation", alone.keep_acknowledging
    yield "keep a row while others come and go", alone.keep_the_row
    yield "show the numbers of a recipient apart", alone.show_numbers_apart
    yield "warn of what nobody can cancel", alone.warn_of_what_nobody_can_cancel
    yield "send a message again once", alone.send_again_once
    yield "ask before a doubt is sent again", alone.ask_before_a_doubt_is_sent_again
    yield "turn one page at a time", alone.turn_pages
    yield "read no text as another user", card.hide_texts
