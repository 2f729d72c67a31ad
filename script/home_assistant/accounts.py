"""Accounts at the simulated providers, set up through the forms of the UI."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from homeassistant.util import slugify

from custom_components.sms_italia.providers import PROVIDERS, FieldKind
from simulator import Simulator

from .client import ACCOUNTS, OPTIONS, SUBENTRIES, Client, Endpoint, Entry, Fields, Flow
from .waiting import HomeAssistantError, until

DOMAIN = "sms_italia"
SENDER = "CasaMia"
ENTITY_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The recipient of an account; `typed` is the number as entered in the form."""

    name: str
    typed: str
    number: str


_PEOPLE = (
    Recipient(name="Anna", typed="333 123 4501", number="+393331234501"),
    Recipient(name="Bruno", typed="+39 333 1234502", number="+393331234502"),
    Recipient(name="Carla", typed="0039 3331234503", number="+393331234503"),
    Recipient(name="Dario", typed="3331234504", number="+393331234504"),
)
RECIPIENTS_BY_PROVIDER = {
    key: _PEOPLE[index]
    if index < len(_PEOPLE)
    else Recipient(
        name=f"Persona {index + 1}",
        typed=f"33312345{index + 1:02}",
        number=f"+3933312345{index + 1:02}",
    )
    for index, key in enumerate(PROVIDERS)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """The ids of an account's entities; some providers have no credit."""

    notify: str
    status: str
    recipient_status: str
    credit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account that was set up."""

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
    """Yield all credentials."""
    for provider in PROVIDERS:
        yield from simulator.account(provider).credentials.values()


async def create(client: Client, simulator: Simulator, provider: str) -> Account:
    """Set up an account with its first recipient.

    Wrong credentials are tried first: the form must show the error and stay open.
    Raises HomeAssistantError.
    """
    credentials = simulator.account(provider).credentials
    flow = await client.start_flow(ACCOUNTS, DOMAIN)
    if flow.get("menu_options") != list(PROVIDERS):
        raise HomeAssistantError(f"the menu has {flow.get('menu_options')}")
    flow = await _submit(
        client, ACCOUNTS, flow["flow_id"], {"next_step_id": provider}, "form"
    )
    settings: dict[str, object] = {
        "sender": SENDER,
        "advanced": {"url": simulator.url(provider)},
    }
    kinds = {field.kind for field in PROVIDERS[provider].fields}
    if FieldKind.COUNTRY_PREFIX in kinds:
        settings["country_prefix"] = 39
    wrong = dict.fromkeys(credentials, "sbagliata")
    flow = await _submit(
        client, ACCOUNTS, flow["flow_id"], {**settings, **wrong}, "form"
    )
    if flow.get("errors") != {"base": "invalid_auth"}:
        raise HomeAssistantError(f"wrong credentials: {flow.get('errors')}")
    flow = await _submit(
        client,
        ACCOUNTS,
        flow["flow_id"],
        {**settings, **credentials},
        "create_entry",
    )
    entry = flow["result"]
    recipient = RECIPIENTS_BY_PROVIDER[provider]
    # The first recipient's form opens by itself.
    _, recipient_flow = flow["next_flow"]
    await _submit(
        client,
        SUBENTRIES,
        recipient_flow,
        {"name": recipient.name, "numbers": [recipient.typed]},
        "create_entry",
    )
    return Account(
        provider=provider,
        entry_id=entry["entry_id"],
        title=entry["title"],
        recipient=recipient,
        entities=await _find_entities(client, entry),
    )


async def create_escalation(
    client: Client, entry_id: str, name: str, members: Sequence[str]
) -> None:
    """Add an escalation with these notify entities to an account."""
    flow = await client.start_flow(SUBENTRIES, (entry_id, "escalation"))
    answer = {
        "name": name,
        "members": list(members),
        "wait": 1,
        "rounds": 1,
        "until": "acknowledged",
        "tell_others": False,
        "quiet": 0,
    }
    await _submit(client, SUBENTRIES, flow["flow_id"], answer, "create_entry")


async def change_options(
    client: Client, entry_id: str, **sections: Mapping[str, object]
) -> None:
    """Set options of an account by their sections; all others become the defaults."""
    flow = await client.start_flow(OPTIONS, entry_id)
    form = cast("list[Fields]", cast("Fields", flow)["data_schema"])
    answer: dict[str, object] = {str(part["name"]): {} for part in form}
    answer |= sections
    await _submit(client, OPTIONS, flow["flow_id"], answer, "create_entry")


async def _submit(
    client: Client,
    endpoint: Endpoint,
    flow_id: str,
    answer: Fields,
    expected: str,
) -> Flow:
    """Submit a step; HomeAssistantError unless it leads to the expected type."""
    flow = await client.submit_step(endpoint, flow_id, answer)
    if flow["type"] != expected:
        raise HomeAssistantError(
            f"a form led to {flow['type']}: "
            f"{flow.get('errors') or flow.get('reason') or ''}"
        )
    return flow


async def _find_entities(client: Client, entry: Entry) -> Entities:
    """Wait for the entities of an account and return their ids."""

    async def find() -> Entities | None:
        found: dict[tuple[str, str | None, bool], str] = {
            (
                entity["entity_id"].partition(".")[0],
                entity["translation_key"],
                entity["config_subentry_id"] is not None,
            ): entity["entity_id"]
            for entity in await client.entities()
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
