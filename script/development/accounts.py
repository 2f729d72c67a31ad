"""The four accounts of the trial, and how they are made in Home Assistant."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from homeassistant.util import slugify

from simulator import PROVIDERS, Simulator

from .home_assistant import (
    ACCOUNTS,
    OPTIONS,
    RECIPIENTS,
    Endpoint,
    Entry,
    Fields,
    Flow,
    HomeAssistant,
    HomeAssistantError,
    until,
)

DOMAIN = "sms_italia"
SENDER = "CasaMia"
ENTITY_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who gets the messages of an account: `typed` is the number in the form."""

    name: str
    typed: str
    number: str


RECIPIENTS_BY_PROVIDER = {
    "smsviainternet": Recipient(
        name="Anna", typed="333 123 4501", number="+393331234501"
    ),
    "smshosting": Recipient(
        name="Bruno", typed="+39 333 1234502", number="+393331234502"
    ),
    "transactionale": Recipient(
        name="Carla", typed="0039 3331234503", number="+393331234503"
    ),
    "inviosmart": Recipient(name="Dario", typed="3331234504", number="+393331234504"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """The ids of an account's entities; some providers tell no credit."""

    notify: str
    status: str
    recipient_status: str
    credit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as it was made."""

    provider: str
    entry_id: str
    title: str
    recipient: Recipient
    entities: Entities

    @property
    def action(self) -> str:
        """Return the account's own notify action."""
        return f"notify.{slugify(self.title)}"


def secrets(simulator: Simulator) -> Iterator[str]:
    """Yield everything that only the provider may be told."""
    for provider in PROVIDERS:
        yield from simulator.account(provider).credentials.values()


async def make(
    home_assistant: HomeAssistant, simulator: Simulator, provider: str
) -> Account:
    """Make an account with its first recipient, through the forms of the UI.

    Wrong credentials are tried first: the form must say so and go on.
    """
    credentials = simulator.account(provider).credentials
    flow = await home_assistant.start_flow(ACCOUNTS, DOMAIN)
    if flow.get("menu_options") != list(PROVIDERS):
        raise HomeAssistantError(f"the menu offers {flow.get('menu_options')}")
    flow = await _answer(
        home_assistant, ACCOUNTS, flow["flow_id"], {"next_step_id": provider}, "form"
    )
    settings: dict[str, object] = {
        "sender": SENDER,
        "advanced": {"url": simulator.url(provider)},
    }
    if provider == "inviosmart":
        settings["country_prefix"] = 39
    wrong = dict.fromkeys(credentials, "sbagliata")
    flow = await _answer(
        home_assistant, ACCOUNTS, flow["flow_id"], {**settings, **wrong}, "form"
    )
    if flow.get("errors") != {"base": "invalid_auth"}:
        raise HomeAssistantError(f"wrong credentials: {flow.get('errors')}")
    flow = await _answer(
        home_assistant,
        ACCOUNTS,
        flow["flow_id"],
        {**settings, **credentials},
        "create_entry",
    )
    entry = flow["result"]
    recipient = RECIPIENTS_BY_PROVIDER[provider]
    # The first recipient's form opens by itself.
    _, recipient_flow = flow["next_flow"]
    await _answer(
        home_assistant,
        RECIPIENTS,
        recipient_flow,
        {"name": recipient.name, "numbers": [recipient.typed]},
        "create_entry",
    )
    return Account(
        provider=provider,
        entry_id=entry["entry_id"],
        title=entry["title"],
        recipient=recipient,
        entities=await _find_entities(home_assistant, entry),
    )


async def change_options(
    home_assistant: HomeAssistant, account: Account, section: str, **options: object
) -> None:
    """Set options of one section of an account; all others get their defaults."""
    flow = await home_assistant.start_flow(OPTIONS, account.entry_id)
    form = cast("list[Fields]", cast("Fields", flow)["data_schema"])
    answer: dict[str, object] = {str(part["name"]): {} for part in form}
    answer[section] = options
    await _answer(home_assistant, OPTIONS, flow["flow_id"], answer, "create_entry")


async def _answer(
    home_assistant: HomeAssistant,
    endpoint: Endpoint,
    flow_id: str,
    answer: Fields,
    expected: str,
) -> Flow:
    """Answer a step; HomeAssistantError unless the next one is what is expected."""
    flow = await home_assistant.go_on(endpoint, flow_id, answer)
    if flow["type"] != expected:
        raise HomeAssistantError(
            f"a form led to {flow['type']}: "
            f"{flow.get('errors') or flow.get('reason') or ''}"
        )
    return flow


async def _find_entities(home_assistant: HomeAssistant, entry: Entry) -> Entities:
    """Wait for the entities of an account and return their ids."""

    async def find() -> Entities | None:
        found: dict[tuple[str, str | None, bool], str] = {
            (
                entity["entity_id"].partition(".")[0],
                entity["translation_key"],
                entity["config_subentry_id"] is not None,
            ): entity["entity_id"]
            for entity in await home_assistant.entities()
            if entity["config_entry_id"] == entry["entry_id"]
        }
        notify = [key for key in found if key[0] == "notify"]
        status = found.get(("sensor", "last_delivery_status", False))
        recipient_status = found.get(("sensor", "last_delivery_status", True))
        if not notify or status is None or recipient_status is None:
            return None
        return Entities(
            notify=found[notify[0]],
            status=status,
            recipient_status=recipient_status,
            credit=found.get(("sensor", "credit", False)),
        )

    return await until(find, ENTITY_SECONDS, f"{entry['title']} has its entities")
