"""Sensors of the delivery status of the last text."""

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
from .messaging import Event, Message, MessagesChanged
from .providers import ErrorKind, Status
from .runtime import SmsItaliaConfigEntry

LAST_DELIVERY_STATUS = "last_delivery_status"

# The status that most needs attention comes first.
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


class _Recency(NamedTuple):
    """How recent a text is; larger is newer."""

    at: float
    dispatch: int


def _recency(message: Message) -> _Recency:
    """Return how recent the text of a message is.

    A text is new when it is requested. A scheduled one is new again when its time comes
    or when it is cancelled before.
    """
    dispatch = message.dispatch
    return _Recency(at=min(dispatch.due, message.changed_at), dispatch=dispatch.id)


def _had_invalid_number(message: Message) -> bool:
    """Return whether a message was never tried because its number is not valid.

    The action's response says so; here it would hide the status of all others.
    """
    return message.error is ErrorKind.RECIPIENT and message.last_account is None


class _Text:
    """The messages of one text, and the one that most needs attention.

    There may be thousands that change one by one, so the cost of a change must not
    depend on their number.
    """

    def __init__(self) -> None:
        self._ranks: dict[int, int] = {}
        self._by_rank: dict[int, dict[int, Message]] = {}
        self.recency: _Recency | None = None

    def put(self, message: Message) -> None:
        """Add a message, or replace it with its newer state."""
        rank = _BY_ATTENTION.index(message.status)
        if _had_invalid_number(message):
            rank += len(_BY_ATTENTION)
        if (known := self._ranks.get(message.id)) is not None:
            del self._by_rank[known][message.id]
        self._ranks[message.id] = rank
        self._by_rank.setdefault(rank, {})[message.id] = message
        recency = _recency(message)
        self.recency = max(self.recency or recency, recency)

    def first(self) -> Message:
        """Return the message that most needs attention; there must be one."""
        rank = min(rank for rank, messages in self._by_rank.items() if messages)
        return next(iter(self._by_rank[rank].values()))


class DeliverySensor(RestoreSensor):
    """The status of the last text: that of the message that most needs attention.

    A scheduled text is the last one when it is requested, and again when it is sent.
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
        """Restore the last known status, and follow the account's messages."""
        await super().async_added_to_hass()
        self._text = _Text()
        last = await self.async_get_last_state()
        if last is not None and last.state in Status:
            self._attr_native_value = last.state
            self._attr_extra_state_attributes = {
                key: last.attributes.get(key) for key in _ATTRIBUTES
            }
        runtime = self.entry.runtime_data
        self.async_on_remove(
            runtime.messenger.events.listen(runtime.account.id, self._handle_event)
        )
        # The ledger knows what happened while nothing listened.
        latest = await runtime.messenger.ledger.latest(
            runtime.account.id, self._recipient
        )
        if latest and self._text.recency is None and not self._is_older(latest):
            self._update_status(latest)

    def _is_older(self, messages: Iterable[Message]) -> bool:
        """Return whether the restored status is newer than these messages.

        It is that of a scheduled text then, requested before them.
        """
        shown = (self.extra_state_attributes or {}).get(ATTR_TIME)
        at = dt_util.parse_datetime(shown) if isinstance(shown, str) else None
        # Stored times are rounded, so allow for a second.
        return at is not None and at.timestamp() - 1 > max(
            message.updated for message in messages
        )

    @property
    @abstractmethod
    def _recipient(self) -> str | None:
        """Return the recipient whose messages are shown, None for the account."""

    @callback
    def _handle_event(self, event: Event) -> None:
        """Update the status unless the change is about an older text."""
        if not isinstance(event, MessagesChanged):
            return
        recipient = self._recipient
        changed = [
            message
            for message in event.messages
            if recipient is None or message.recipient == recipient
        ]
        if not changed:
            return
        last = max(_recency(message) for message in changed)
        known = self._text.recency or last
        if known.dispatch != last.dispatch:
            if last < known:
                return
            self._text = _Text()
        self._update_status(one for one in changed if one.dispatch.id == last.dispatch)
        self.async_write_ha_state()

    def _update_status(self, messages: Iterable[Message]) -> None:
        """Add messages of the text, and show the one that most needs attention."""
        for one in messages:
            self._text.put(one)
        message = self._text.first()
        send_at = message.dispatch.options.send_at
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
    """The delivery status of the last text of an account."""

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the sensor of an account."""
        super().__init__(entry, LAST_DELIVERY_STATUS)

    @property
    @override
    def _recipient(self) -> None:
        return None


class RecipientDeliverySensor(RecipientEntity, DeliverySensor):
    """The delivery status of the last text to a recipient."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: SmsItaliaConfigEntry,
        subentry: ConfigSubentry,
    ) -> None:
        """Set up the sensor of a recipient."""
        super().__init__(hass, entry, subentry, LAST_DELIVERY_STATUS)

    @property
    @override
    def _recipient(self) -> str:
        return self.recipient
