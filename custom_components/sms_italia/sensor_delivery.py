"""Sensors that show what became of the last text."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import NamedTuple, override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntityDescription,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .entity import AccountEntity, RecipientEntity
from .messaging.book import Event, MessagesChanged
from .messaging.model import Message
from .providers.model import ErrorKind, Status
from .runtime import SmsItaliaConfigEntry

LAST_DELIVERY_STATUS = "last_delivery_status"

# The one that most needs attention first.
_BY_ATTENTION = (
    Status.FAILED,
    Status.UNCERTAIN,
    Status.EXPIRED,
    Status.QUEUED,
    Status.SENT,
    Status.DELIVERED,
)

ATTR_NUMBER = "number"
ATTR_TIME = "time"
ATTR_PARTS = "parts"
ATTR_COST = "cost"
ATTR_ERROR = "error"
ATTR_SEND_AT = "send_at"
_ATTRIBUTES = (
    ATTR_NUMBER,
    ATTR_TIME,
    ATTR_PARTS,
    ATTR_COST,
    ATTR_ERROR,
    ATTR_SEND_AT,
)


class _Order(NamedTuple):
    """The order of texts in time."""

    at: float
    dispatch: int


def _order(message: Message) -> _Order:
    """Return where the text of a message stands in time.

    It is new when it is asked for. One for later is new again when its time has come,
    or when it was stopped before.
    """
    dispatch = message.dispatch
    return _Order(at=min(dispatch.due, message.updated), dispatch=dispatch.id)


def _was_no_number(message: Message) -> bool:
    """Tell whether nothing was ever tried, because of what was given as a number.

    The action's answer says so; it would hide what became of the others for good.
    """
    return message.error is ErrorKind.RECIPIENT and message.carrier is None


class _Text:
    """The messages of one text, and which of them most needs attention.

    There may be thousands, of which one after the other changes: what a change costs
    must not depend on how many there are.
    """

    def __init__(self) -> None:
        self._ranks: dict[int, int] = {}
        self._by_rank: dict[int, dict[int, Message]] = {}
        self.order: _Order | None = None

    def put(self, message: Message) -> None:
        """Put a message in the place of what was known of it."""
        rank = _BY_ATTENTION.index(message.status)
        if _was_no_number(message):
            rank += len(_BY_ATTENTION)
        if (before := self._ranks.get(message.id)) is not None:
            del self._by_rank[before][message.id]
        self._ranks[message.id] = rank
        self._by_rank.setdefault(rank, {})[message.id] = message
        self.order = max(self.order or _order(message), _order(message))

    def first(self) -> Message:
        """Return the message that most needs attention; there must be one."""
        rank = min(rank for rank, messages in self._by_rank.items() if messages)
        return next(iter(self._by_rank[rank].values()))


class DeliverySensor(RestoreSensor):
    """What became of the last text; of its messages, the one that needs attention.

    A text that is to go out later is the last one when it was asked for, and again
    when it goes out.
    """

    entity_description = SensorEntityDescription(
        key=LAST_DELIVERY_STATUS,
        device_class=SensorDeviceClass.ENUM,
        options=[status.value for status in Status],
    )
    entry: SmsItaliaConfigEntry
    _text: _Text

    @override
    async def async_added_to_hass(self) -> None:
        """Show what was last known, and follow the account's messages."""
        await super().async_added_to_hass()
        self._text = _Text()
        last = await self.async_get_last_state()
        if last is not None and last.state in Status:
            self._attr_native_value = last.state
            self._attr_extra_state_attributes = {
                key: last.attributes.get(key) for key in _ATTRIBUTES
            }
        runtime = self.entry.runtime_data
        self.async_on_remove(runtime.messenger.listen(runtime.account.id, self._hear))
        # What happened while nobody listened stands in the ledger.
        latest = await runtime.messenger.latest(runtime.account.id, self._recipient)
        if latest and self._text.order is None and not self._is_older(latest):
            self._take(latest)

    def _is_older(self, messages: Iterable[Message]) -> bool:
        """Tell whether something newer than these is shown, restored after a start.

        That was a text for later, asked for before them.
        """
        shown = (self.extra_state_attributes or {}).get(ATTR_TIME)
        at = dt_util.parse_datetime(shown) if isinstance(shown, str) else None
        # A second, because what was written of a moment is rounded.
        return at is not None and at.timestamp() - 1 > max(
            message.updated for message in messages
        )

    @property
    @abstractmethod
    def _recipient(self) -> str | None:
        """The recipient whose messages are shown, None for all of the account."""

    @callback
    def _hear(self, event: Event) -> None:
        """Follow the last text; older ones do not come back."""
        if not isinstance(event, MessagesChanged):
            return
        recipient = self._recipient
        news = [
            message
            for message in event.messages
            if recipient is None or message.recipient == recipient
        ]
        if not news:
            return
        last = max(_order(message) for message in news)
        known = self._text.order or last
        if known.dispatch != last.dispatch:
            if last < known:
                return
            self._text = _Text()
        self._take(one for one in news if one.dispatch.id == last.dispatch)
        self.async_write_ha_state()

    def _take(self, messages: Iterable[Message]) -> None:
        """Take in messages of the text, and show the one that most needs attention."""
        for one in messages:
            self._text.put(one)
        message = self._text.first()
        send_at = message.dispatch.wishes.send_at
        self._attr_native_value = message.status
        self._attr_extra_state_attributes = {
            ATTR_NUMBER: message.shown_number,
            ATTR_TIME: dt_util.utc_from_timestamp(message.updated).isoformat(),
            ATTR_PARTS: message.parts,
            ATTR_COST: None if message.cost is None else float(message.cost),
            ATTR_ERROR: message.error,
            ATTR_SEND_AT: (
                None
                if send_at is None
                else dt_util.utc_from_timestamp(send_at).isoformat()
            ),
        }


class AccountDeliverySensor(AccountEntity, DeliverySensor):
    """What became of the last text that an account was asked to send."""

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Follow all messages of the account."""
        super().__init__(entry, LAST_DELIVERY_STATUS)

    @property
    @override
    def _recipient(self) -> None:
        return None


class RecipientDeliverySensor(RecipientEntity, DeliverySensor):
    """What became of the last text to a recipient."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: SmsItaliaConfigEntry,
        subentry: ConfigSubentry,
    ) -> None:
        """Follow the messages of one recipient."""
        super().__init__(hass, entry, subentry, LAST_DELIVERY_STATUS)

    @property
    @override
    def _recipient(self) -> str:
        return self.recipient
