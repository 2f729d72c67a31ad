"""The trial: an SMS through every account in three ways, and the expected result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from http import HTTPStatus
from typing import TypedDict, cast

from custom_components.sms_italia.providers import PROVIDERS, Feature
from custom_components.sms_italia.services.responses import MESSAGE_KEYS
from script.home_assistant.accounts import DOMAIN, SENDER, Account, secrets
from script.home_assistant.client import Client, Fields, State
from script.home_assistant.waiting import HomeAssistantError, until
from simulator import Message, Operation, Request, Simulator

from .alarm import ALARM, TITLE

ARRIVAL_SECONDS = 60
DELIVERY_SECONDS = 180

BY_AUTOMATION = f"{TITLE}\nPerdita d'acqua in lavanderia, 21 C"
"""The alarm as sent: its apostrophe and its degree sign would cost a second part."""
BY_ACCOUNT = "Prova dell'azione dell'account"
BY_ACTION = "Prova di sms_italia.send_sms"
TEXTS = (BY_AUTOMATION, BY_ACCOUNT, BY_ACTION)
PRIVATE_TEXTS = (*TEXTS, ALARM)
"""Texts that must not be in the log."""


class SentMessage(TypedDict):
    """One message in the answer of sms_italia.send_sms: the keys used here."""

    id: str
    to: str
    status: str
    account: str
    provider_id: str
    parts: int
    encoding: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The answers and states that were found; `faults` are sentences."""

    answers: Mapping[str, Fields]
    states: Mapping[str, State]
    faults: Sequence[str]


async def run(
    client: Client,
    simulator: Simulator,
    accounts: Sequence[Account],
    alarm: str,
) -> Trial:
    """Send through every account in all three ways and compare the results.

    Raises HomeAssistantError if an action is refused.
    """
    await client.call("input_boolean.turn_on", {}, {"entity_id": alarm})
    answers: dict[str, Fields] = {}
    for account in accounts:
        await client.call(
            account.action,
            {"message": BY_ACCOUNT, "target": [account.recipient.number]},
        )
        answers[account.provider] = cast(
            "Fields",
            await client.call_for_response(
                f"{DOMAIN}.send_sms",
                {
                    "config_entry_id": account.entry_id,
                    "numbers": [account.recipient.number],
                    "message": BY_ACTION,
                },
            ),
        )
    faults = await _wait_until_settled(client, simulator, accounts)
    states = await client.states()
    for account in accounts:
        faults += _message_faults(simulator, account)
        faults += _answer_faults(simulator, account, answers[account.provider])
        faults += _state_faults(simulator, account, states)
    return Trial(answers=answers, states=states, faults=faults)


async def _wait_until_settled(
    client: Client, simulator: Simulator, accounts: Sequence[Account]
) -> list[str]:
    """Wait until all SMS arrived and all sensors are final; return what did not."""

    async def arrived() -> bool | None:
        return len(simulator.messages) >= len(accounts) * len(TEXTS) or None

    async def settled() -> bool | None:
        states = await client.states()
        return (
            not any(
                fault
                for account in accounts
                for fault in _state_faults(simulator, account, states)
            )
            or None
        )

    try:
        await until(arrived, ARRIVAL_SECONDS, "every SMS is at its provider")
        await until(settled, DELIVERY_SECONDS, "every sensor has its final value")
    except HomeAssistantError as err:
        return [str(err)]
    return []


def _message_faults(simulator: Simulator, account: Account) -> Iterator[str]:
    """Compare what the provider accepted with what was sent."""
    who = account.title
    messages: Sequence[Message] = simulator.messages.of(account.provider)
    for text in TEXTS:
        count = sum(message.text == text for message in messages)
        if count != 1:
            yield f"{who}: {count} SMS instead of one with the text {text!r}"
    for message in messages:
        if message.to != account.recipient.number:
            yield f"{who}: an SMS went to {message.to}"
        if message.sender != SENDER:
            yield f"{who}: an SMS went out as {message.sender!r}"
        if message.parts != 1:
            yield f"{who}: an SMS of {message.parts} parts"
    sends = len(accepted_sends(simulator, account.provider))
    if sends != len(TEXTS):
        yield f"{who}: {sends} send requests for {len(TEXTS)} SMS"


def accepted_sends(simulator: Simulator, provider: str) -> list[Request]:
    """Return the accepted requests to send, without those that only prove a key."""
    return [
        request
        for request in simulator.requests.of(provider)
        if request.operation is Operation.SEND
        and request.status in {HTTPStatus.OK, HTTPStatus.CREATED}
    ]


def _answer_faults(
    simulator: Simulator, account: Account, answer: Fields
) -> Iterator[str]:
    """Compare what sms_italia.send_sms answered with what the provider has."""
    who = f"{account.title}: the answer of send_sms"
    messages = cast("list[SentMessage]", answer.get("messages") or [])
    if len(messages) != 1 or "credit" not in answer:
        yield f"{who} is {answer}"
        return
    message = messages[0]
    if message.keys() != set(MESSAGE_KEYS):
        yield f"{who} has the keys {sorted(message)}"
        return
    accepted = {
        known.provider_id
        for known in simulator.messages.of(account.provider)
        if known.text == BY_ACTION
    }
    expected = {
        "to": account.recipient.number,
        "account": account.title,
        "parts": 1,
        "encoding": "gsm7",
        "error": None,
    }
    for key, value in expected.items():
        if cast("Fields", message)[key] != value:
            yield f"{who} has {key} = {cast('Fields', message)[key]!r}"
    if message["status"] not in {"queued", "sent", "delivered"}:
        yield f"{who} has the status {message['status']}"
    if message["provider_id"] not in accepted:
        yield f"{who} has an id that the provider does not know"


def _state_faults(
    simulator: Simulator, account: Account, states: Mapping[str, State]
) -> Iterator[str]:
    """Compare the account's entities with what the provider has."""
    entities = account.entities
    for entity in (entities.status, entities.recipient_status):
        if _state(states, entity) != "delivered":
            yield f"{entity} is {_state(states, entity)} instead of delivered"
    if _state(states, entities.notify) in {"unknown", "unavailable"}:
        yield f"{entities.notify} has no time of the last message"
    has_credit = bool(
        PROVIDERS[account.provider].capabilities.features
        & {Feature.CREDIT, Feature.CREDIT_WITH_SEND, Feature.CREDIT_IF_OFFERED}
    )
    if entities.credit is None:
        if has_credit:
            yield f"{account.title} has no credit"
        return
    if not has_credit:
        yield f"{account.title} has a credit, and its provider returns none"
        return
    credit = simulator.account(account.provider).credit
    if account.provider == "inviosmart":
        credit = credit.quantize(Decimal("0.01"), ROUND_DOWN)  # it returns cents only
    try:
        shown = Decimal(_state(states, entities.credit))
    except InvalidOperation:
        shown = None
    if shown != credit:
        yield f"{entities.credit} is {shown} instead of {credit}"


def _state(states: Mapping[str, State], entity: str) -> str:
    """Return the state of an entity, "missing" if it does not exist."""
    return states[entity]["state"] if entity in states else "missing"


def log_faults(
    simulator: Simulator, accounts: Sequence[Account], texts: Sequence[str], log: str
) -> Iterator[str]:
    """Yield private data in the log, `texts` included, and our errors and warnings."""
    private = {
        *secrets(simulator),
        *(account.recipient.number.removeprefix("+39") for account in accounts),
        *texts,
    }
    for line in log.splitlines():
        if any(word in line for word in private):
            yield "the log has a credential, a number or a text"
        # Home Assistant warns of every custom integration.
        if DOMAIN in line and (
            " ERROR " in line
            or (" WARNING " in line and "We found a custom integration" not in line)
        ):
            yield f"the log says: {line}"
