"""Sensors of the delivery status of the last text."""

from abc import abstractmethod
from collections.abc import Iterable
from datetime import datetime
from math import inf
from typing import Any, NamedTuple, override

from homeassistant.components.sensor import (
    ATTR_STATE_CLASS,
    RestoreSensor,
    SensorDeviceClass,
    SensorEntityDescription,
)
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from .amounts import euro_number
from .const import DOMAIN
from .entity import AccountEntity, EntryEntity, RecipientEntity
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

    due: float
    dispatch: int


def _recency(message: Message) -> _Recency:
    """Return how recent the text of a message is: when it was to be sent."""
    return _Recency(due=message.dispatch.due, dispatch=message.dispatch.id)


def _is_early(message: Message) -> bool:
    """Return whether a message is scheduled for later; it does not count before."""
    send_at = message.dispatch.options.send_at
    return send_at is not None and send_at > dt_util.utcnow().timestamp()


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

    def __init__(self, recency: _Recency) -> None:
        self.recency = recency
        self._ranks: dict[int, int] = {}
        self._by_rank: dict[int, dict[int, Message]] = {}

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._ranks

    def is_before(self, message: Message) -> bool:
        """Return whether a message is of a newer text."""
        is_another = message.dispatch.id != self.recency.dispatch
        return is_another and self.recency < _recency(message)

    def put(self, message: Message) -> None:
        """Add a message, or replace it with its newer state; a cancelled one goes."""
        if (known := self._ranks.pop(message.id, None)) is not None:
            del self._by_rank[known][message.id]
        if message.is_cancelled:
            return
        rank = _BY_ATTENTION.index(message.status)
        if _had_invalid_number(message):
            rank += len(_BY_ATTENTION)
        self._ranks[message.id] = rank
        self._by_rank.setdefault(rank, {})[message.id] = message

    def first(self) -> Message | None:
        """Return the message that most needs attention, None if all were cancelled."""
        rank = min((rank for rank, some in self._by_rank.items() if some), default=None)
        return None if rank is None else next(iter(self._by_rank[rank].values()))


class DeliverySensor(EntryEntity, RestoreSensor):
    """The status of the last text: that of the message that most needs attention.

    A scheduled text counts from its moment on. A cancelled one does not count: the
    one before it is the last again.
    """

    entity_description = SensorEntityDescription(
        key=LAST_DELIVERY_STATUS,
        device_class=SensorDeviceClass.ENUM,
        options=[status.value for status in Status],
    )
    _text: _Text | None = None
    _looks_at: float = inf
    _stop_looking: CALLBACK_TYPE | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Restore the last known status, and follow the account's messages."""
        await super().async_added_to_hass()
        last = await self.async_get_last_state()
        if last is not None and last.state in Status:
            self._attr_native_value = last.state
            self._attr_extra_state_attributes = {
                key: last.attributes.get(key) for key in _ATTRIBUTES
            }
        self.async_listen(self._handle_event)
        self.async_on_remove(self._look_no_more)
        # The ledger knows what happened while nothing listened.
        await self._read()

    @property
    @override
    def capability_attributes(self) -> dict[str, Any]:
        """Return the options, and that there is no state class.

        The logbook leaves out each sensor that names one: it has a sentence for each
        message already.
        """
        return {**(super().capability_attributes or {}), ATTR_STATE_CLASS: None}

    @property
    @abstractmethod
    def _recipient(self) -> str | None:
        """Return the recipient whose messages are shown, None for the account."""

    def _shown(self, messages: Iterable[Message]) -> list[Message]:
        """Return those of an account's messages that this sensor is about."""
        recipient = self._recipient
        return [one for one in messages if recipient in {None, one.recipient}]

    @callback
    def _handle_event(self, event: Event) -> None:
        """Update the status unless the change is about an older text."""
        if not isinstance(event, MessagesChanged):
            return
        changed = self._shown(event.messages)
        self._look_when_due(changed)
        due = [one for one in changed if not _is_early(one)]
        counting = [one for one in due if not one.is_cancelled]
        newest = max(counting, key=_recency, default=None)
        text = self._text
        if newest is not None and (text is None or text.is_before(newest)):
            self._text = text = _Text(_recency(newest))
        if text is None:
            return
        of_text = [one for one in due if one.dispatch.id == text.recency.dispatch]
        for one in of_text:
            text.put(one)
        if of_text:
            self._update(text)

    def _update(self, text: _Text) -> None:
        """Show a text; look for the one before if all of it was cancelled."""
        if (message := text.first()) is None:
            self._read_soon()
            return
        self._show(message)
        self.async_write_ha_state()

    @callback
    def _read_soon(self) -> None:
        """Look for the last text in a task that ends with the account."""

        async def read() -> None:
            await self._read()
            self.async_write_ha_state()

        self.entry.async_create_background_task(
            self.hass,
            read(),
            f"{DOMAIN} delivery sensor",
            # A change is passed to the ledger after its event.
            eager_start=False,
        )

    async def _read(self) -> None:
        """Show the last text that the ledger has, unless a newer one is shown."""
        runtime = self.entry.runtime_data
        account = runtime.account.id
        now = dt_util.utcnow().timestamp()
        latest = await runtime.messenger.ledger.latest(account, self._recipient, now)
        self._look_when_due(self._shown(runtime.messenger.open_messages(account)))
        text = self._text
        if text is not None and text.first() is None:
            self._text = text = None
            self._attr_native_value = None
            self._attr_extra_state_attributes = {}
        if not latest:
            return
        if text is None or text.is_before(latest[0]):
            self._text = text = _Text(_recency(latest[0]))
        for one in latest:
            # What an event said is newer than what was read.
            if one.dispatch.id == text.recency.dispatch and one.id not in text:
                text.put(one)
        if (message := text.first()) is not None:
            self._show(message)

    @callback
    def _look_when_due(self, messages: Iterable[Message]) -> None:
        """Look for the last text again when the first of scheduled messages is due."""
        moments = (one.dispatch.options.send_at for one in messages if _is_early(one))
        moment = min((one for one in moments if one is not None), default=inf)
        if moment >= self._looks_at:
            return
        self._look_no_more()
        self._looks_at = moment
        self._stop_looking = async_track_point_in_utc_time(
            self.hass, self._look, dt_util.utc_from_timestamp(moment)
        )

    @callback
    def _look(self, _now: datetime) -> None:
        self._stop_looking, self._looks_at = None, inf
        self._read_soon()

    @callback
    def _look_no_more(self) -> None:
        if self._stop_looking is not None:
            self._stop_looking()
        self._stop_looking, self._looks_at = None, inf

    def _show(self, message: Message) -> None:
        """Show the status of a message."""
        send_at = message.dispatch.options.send_at
        self._attr_native_value = message.status
        self._attr_extra_state_attributes = {
            ATTR_NUMBER: message.shown_number,
            ATTR_TIME: dt_util.utc_from_timestamp(message.updated).isoformat(),
            ATTR_PARTS: message.parts,
            ATTR_COST: euro_number(message.cost),
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

    _key = LAST_DELIVERY_STATUS

    @property
    @override
    def _recipient(self) -> str:
        return self.subentry_id
