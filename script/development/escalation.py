"""An escalation, tried once: the first member does not answer, the second does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from script.home_assistant.accounts import DOMAIN, Account, create_escalation
from script.home_assistant.client import Client, RegisteredEntity
from script.home_assistant.waiting import HomeAssistantError, until
from simulator import Simulator

NAME = "Notte"
TEXT = "Allarme fumo in soffitta"

MEMBERS = ("smsviainternet", "smshosting")
"""The accounts of the members: not those that the failover cuts off."""

_KEYS = {"call", "escalation"}
"""The translation keys of its notify entity and of its sensor."""

_ENTITY_SECONDS = 30
_STEP_SECONDS = 90
"""Longer than the wait of a member, which is a minute."""


async def create(client: Client, accounts: Sequence[Account]) -> Mapping[str, str]:
    """Add the escalation to an account; return its entities by their domain."""
    members = members_among(accounts)
    entry_id = members[-1].entry_id
    names = [member.entities.notify for member in members]
    await create_escalation(client, entry_id, NAME, names)

    async def find() -> Mapping[str, str] | None:
        found = {
            _domain(entity): entity["entity_id"]
            for entity in await client.entities()
            if entity["translation_key"] in _KEYS
        }
        return found if {"notify", "sensor"} <= found.keys() else None

    return await until(find, _ENTITY_SECONDS, f"{NAME} has its entities")


def members_among(accounts: Sequence[Account]) -> Sequence[Account]:
    """Return the accounts whose recipients are called, in their order."""
    by_provider = {account.provider: account for account in accounts}
    return [by_provider[provider] for provider in MEMBERS]


def _domain(entity: RegisteredEntity) -> str:
    return entity["entity_id"].partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """A run of the escalation; collects `notes` and, if something is wrong, `faults`.

    `members` are the accounts of those who are called.
    """

    client: Client
    simulator: Simulator
    members: Sequence[Account]
    entities: Mapping[str, str]
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        """Send the alarm: the first member is called."""
        await self.client.call(
            "notify.send_message",
            {"message": TEXT},
            {"entity_id": self.entities["notify"]},
        )
        await self._expect("calling", step=1, member=self.members[0].recipient.name)

    async def acknowledge(self) -> None:
        """Wait until the second member is called, and acknowledge."""
        await self._expect("calling", step=2, member=self.members[1].recipient.name)
        await self.client.call(
            f"{DOMAIN}.acknowledge", {}, {"entity_id": self.entities["sensor"]}
        )
        await self._expect("acknowledged", acknowledged_with="action")
        self._compare_messages()

    async def _expect(self, expected: str, **attributes: object) -> None:
        """Wait until the sensor shows this; a fault is added if it does not."""

        async def shown() -> bool | None:
            state = (await self.client.states())[self.entities["sensor"]]
            found = {key: state["attributes"].get(key) for key in attributes}
            return (state["state"], found) == (expected, attributes) or None

        what = f"{NAME} is {expected} with {attributes}"
        try:
            await until(shown, _STEP_SECONDS, what)
        except HomeAssistantError as err:
            self.faults.append(str(err))
        else:
            self.notes.append(what)

    def _compare_messages(self) -> None:
        """Compare whom the providers were asked to reach with the members."""
        called = [one.to for one in self.simulator.messages if one.text == TEXT]
        expected = [member.recipient.number for member in self.members]
        if called != expected:
            self.faults.append(f"{NAME} called {called} instead of {expected}")
