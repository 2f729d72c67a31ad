"""The sensor of the messages that wait."""

from datetime import datetime
import logging
from typing import override

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from .entity import AccountEntity
from .messaging import Event, MessagesChanged, WaitingChanged
from .runtime import SmsItaliaConfigEntry

_LOGGER = logging.getLogger(__name__)

ATTR_NEXT_TIME = "next_time"

_COOLDOWN = 1.0
"""Seconds between two counts, each of which looks at all open messages."""


class WaitingSensor(AccountEntity, SensorEntity):
    """How many messages of an account wait to be sent, and when the next one is due."""

    _unrecorded_attributes = frozenset({ATTR_NEXT_TIME})
    _stop_waiting: CALLBACK_TYPE | None = None

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the sensor of an account."""
        super().__init__(entry, "messages_waiting")

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the account's messages."""
        await super().async_added_to_hass()
        self._debouncer: Debouncer[None] = Debouncer(
            self.hass,
            _LOGGER,
            cooldown=_COOLDOWN,
            immediate=True,
            function=self._update,
        )
        self.async_on_remove(self._debouncer.async_shutdown)
        self.async_on_remove(self._wait_no_more)
        self.async_listen(self._handle_event)
        self._count()

    @callback
    def _handle_event(self, event: Event) -> None:
        if isinstance(event, MessagesChanged | WaitingChanged):
            self._debouncer.async_schedule_call()

    @callback
    def _update(self) -> None:
        self._count()
        self.async_write_ha_state()

    @callback
    def _count(self) -> None:
        """Count the messages, and again when the next one is due."""
        messenger = self.entry.runtime_data.messenger
        waiting = messenger.waiting(self.entry.entry_id)
        moment = (
            None
            if waiting.next_at is None
            else dt_util.utc_from_timestamp(waiting.next_at)
        )
        self._attr_native_value = waiting.count
        self._attr_extra_state_attributes = {
            ATTR_NEXT_TIME: None if moment is None else moment.isoformat()
        }
        self._wait_no_more()
        if moment is not None and moment > dt_util.utcnow():
            self._stop_waiting = async_track_point_in_utc_time(
                self.hass, self._handle_due, moment
            )

    @callback
    def _handle_due(self, _now: datetime) -> None:
        self._stop_waiting = None
        self._debouncer.async_schedule_call()

    @callback
    def _wait_no_more(self) -> None:
        if self._stop_waiting is not None:
            self._stop_waiting()
        self._stop_waiting = None
