"""What the tests of accounts and of the state of messages share."""

from dataclasses import dataclass, field, replace
from typing import Any, override
from unittest.mock import create_autospec

from custom_components.sms_italia.messaging.account import Account, AccountOptions
from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.messaging.model import Message, Stage
from custom_components.sms_italia.messaging.state import (
    DailyTotals,
    Event,
    Events,
    MessagesChanged,
    OpenMessages,
)
from custom_components.sms_italia.providers import (
    Capabilities,
    Feature,
    Provider,
    ProviderClient,
    Status,
)

from ..fake import no_client
from ..helpers import Time, a_dispatch, a_message

NOON = 1_794_657_600.0
"""2026-11-14 12:00 UTC."""
DAY = 86_400


class AtNoon(Time):
    """A time that stands at noon until a test moves it."""

    @override
    def now(self) -> float:
        """Return the seconds since the epoch."""
        return NOON + self.shift

    @override
    def steady(self) -> float:
        """Return the seconds that passed by."""
        return self.passed


def an_account(
    *features: Feature,
    id: str = "casa",  # noqa: A002 - as the field is called
    **options: Any,  # noqa: ANN401 - options of several types
) -> Account:
    """Return an account whose provider has these features; its client does nothing."""
    return Account(
        id=id,
        name=id.title(),
        provider=Provider(
            key="fake",
            name="Fake",
            manufacturer="Fake",
            console_url="https://provider.example",
            fields=(),
            capabilities=Capabilities(
                features=frozenset(features), recipients_per_submission=1, max_parts=10
            ),
            create=no_client,
        ),
        client=create_autospec(ProviderClient, instance=True),
        sender=None,
        options=AccountOptions(**options),
        recipients={},
    )


@dataclass(slots=True)
class Desk:
    """Open messages with a real ledger, and what listeners of two accounts get."""

    ledger: Ledger
    clock: Clock
    time: AtNoon
    notifier: Events = field(default_factory=Events)
    events: list[Event] = field(default_factory=list)
    totals: DailyTotals = field(init=False)
    open: OpenMessages = field(init=False)
    _dispatches: int = 0

    def __post_init__(self) -> None:
        """Put the parts together."""
        self.totals = DailyTotals(self.ledger, self.clock, self.notifier)
        self.open = OpenMessages(self.ledger, self.clock, self.totals, self.notifier)
        for account in ("casa", "riserva"):
            self.notifier.listen(account, self.events.append)

    async def load(self) -> Desk:
        """Open the ledger, and take over what it holds."""
        opened = await self.ledger.open(self.clock.today())
        self.totals.load(opened.totals)
        self.open.load(opened.open_messages)
        return self

    def add(self, **changes: object) -> Message:
        """Add a new dispatch of one message, in memory alone, and return it."""
        self._dispatches += 1
        message = a_message(a_dispatch(self._dispatches), **changes)
        self.open.add([message])
        return message

    async def one(self, **changes: object) -> Message:
        """Add a new dispatch of one message, record it, and return it."""
        message = self.add(**changes)
        await self.open.record([message])
        return message

    async def accepted(self, **changes: object) -> Message:
        """Add a message, let a provider accept it, and return it."""
        message = await self.one(stage=Stage.SUBMITTING, last_account="casa")
        values: dict[str, Any] = {
            "stage": Stage.ACCEPTED,
            "provider_id": "1",
            "attempt_at": None,
            "updated": self.clock.now(),
        }
        message = replace(message, **(values | changes))
        await self.open.change([message])
        return message

    def statuses(self) -> list[Status]:
        """Return the statuses that listeners were notified of, in order."""
        return [
            message.status
            for event in self.events
            if isinstance(event, MessagesChanged)
            for message in event.messages
        ]
