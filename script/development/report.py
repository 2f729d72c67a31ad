"""The printed report of the trial."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from script.home_assistant.accounts import DOMAIN, Account
from script.home_assistant.client import PASSWORD, USERNAME
from simulator import PROVIDERS, Message, Request, Simulator, Status

from .trial import Trial, accepted_sends

LOG_TAIL = 40

CANCELLED = "cancelled, as intended"

_CREDENTIAL_HEADERS = ("Authorization", "X-Api-Token")


def received(simulator: Simulator) -> Iterator[str]:
    """Yield the requests to send that each provider accepted, field by field."""
    for provider in PROVIDERS:
        yield ""
        yield f"== {provider}: what it received"
        for request in accepted_sends(simulator, provider):
            yield from _request(request)
        yield from (
            f"   {status_of(message)} {message.to} {message.cost} EUR {message.text!r}"
            for message in simulator.messages.of(provider)
        )


def status_of(message: Message) -> str:
    """Return a message's status in words; what is scheduled fails only if cancelled."""
    if message.scheduled is not None and message.status is Status.FAILED:
        return CANCELLED
    return message.status


def _request(request: Request) -> Iterator[str]:
    """Yield one request: method and path, credentials, fields."""
    yield f"   {request.method} {request.path} -> {request.status}"
    values = {
        name: request.headers[name]
        for name in _CREDENTIAL_HEADERS
        if name in request.headers
    }
    for name, value in {**values, **request.fields}.items():
        yield f"      {name:<16} {value!r}"


def shown(accounts: Sequence[Account], trial: Trial) -> Iterator[str]:
    """Yield what send_sms answered and the states of the entities."""
    for account in accounts:
        yield ""
        yield f"== {account.title}: what Home Assistant says"
        yield f"   send_sms answered {trial.answers[account.provider]}"
        entities = account.entities
        for entity in (
            entities.credit,
            entities.status,
            entities.recipient_status,
            entities.notify,
        ):
            if entity is not None and (state := trial.states.get(entity)):
                unit = state["attributes"].get("unit_of_measurement", "")
                yield f"   {entity:<50} {state['state']} {unit}"


def verdict(faults: Sequence[str]) -> Iterator[str]:
    """Yield the verdict, or the faults."""
    yield ""
    yield from (f"FAILED: {fault}" for fault in faults)
    if not faults:
        yield "Every SMS arrived once, and every sensor is right."


def log_lines(log: Path) -> list[str]:
    """Return the lines of the log that name the integration, and its last lines."""
    lines = log.read_text("utf-8", "replace").splitlines()
    chosen = [line for line in lines[:-LOG_TAIL] if DOMAIN in line]
    return ["", "== from Home Assistant's log", *chosen, *lines[-LOG_TAIL:]]


def addresses(home_assistant_url: str, simulator: Simulator) -> Iterator[str]:
    """Yield the addresses to open in a browser, and what an account needs."""
    yield ""
    for provider in PROVIDERS:
        yield f"{provider:<16}{simulator.url(provider)}"
        for name, value in simulator.credentials(provider).items():
            yield f"  {name:<14}{value}"
    yield f"The phones      {simulator.address}/"
    yield f"Home Assistant  {home_assistant_url}"
    yield f"  log in as     {USERNAME} / {PASSWORD}"
