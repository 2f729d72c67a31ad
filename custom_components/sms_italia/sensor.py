"""Sensors: an account's credit, and what became of the last message."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_time_change
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import dt as dt_util

from .const import SUBENTRY_TYPE_RECIPIENT
from .coordinator import AccountCoordinator
from .entity import AccountEntity, RecipientEntity
from .messaging.book import Event, MessagesChanged, TotalsChanged
from .messaging.model import DayTotal, Message
from .messaging.numbers import mask_number
from .providers.client import Feature
from .providers.model import Credit, Status
from .runtime import SmsItaliaConfigEntry

PARALLEL_UPDATES = 0

CREDIT = "credit"
LAST_DELIVERY_STATUS = "last_delivery_status"


@dataclass(frozen=True, kw_only=True)
class CreditSensorDescription(SensorEntityDescription):
    """A figure of the credit, shown for providers with one of the features."""

    features: frozenset[Feature]
    value: Callable[[Credit], Decimal | int | None]


CREDIT_FEATURES = frozenset({Feature.CREDIT, Feature.CREDIT_WITH_SEND})

CREDIT_SENSORS = (
    CreditSensorDescription(
        key=CREDIT,
        device_class=SensorDeviceClass.MONETARY,
        native_unit_of_measurement="EUR",
        state_class=SensorStateClass.TOTAL,
        suggested_display_precision=2,
        features=CREDIT_FEATURES,
        value=lambda credit: credit.balance,
    ),
    CreditSensorDescription(
        key="sms_left",
        state_class=SensorStateClass.MEASUREMENT,
        features=frozenset({Feature.SMS_LEFT}),
        value=lambda credit: credit.sms_left,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the account and of its recipients."""
    features = entry.runtime_data.account.provider.capabilities.features
    async_add_entities(
        CreditSensor(entry, description)
        for description in CREDIT_SENSORS
        if description.features & features
    )
    if CREDIT_FEATURES & features:
        async_add_entities([CreditDaysLeftSensor(entry)])
    async_add_entities(
        [
            AccountDeliverySensor(entry),
            *(TotalSensor(entry, description) for description in TOTAL_SENSORS),
        ]
    )
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT):
        async_add_entities(
            [RecipientDeliverySensor(hass, entry, subentry)],
            config_subentry_id=subentry.subentry_id,
        )


class CreditSensor(AccountEntity, CoordinatorEntity[AccountCoordinator], RestoreSensor):
    """A figure of an account's credit; the last one known, also over a restart."""

    entity_description: CreditSensorDescription

    def __init__(
        self, entry: SmsItaliaConfigEntry, description: CreditSensorDescription
    ) -> None:
        """Show one figure."""
        AccountEntity.__init__(self, entry, description.key)
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)
        self.entity_description = description

    @override
    async def async_added_to_hass(self) -> None:
        """Begin with what was known, until something newer is told."""
        await super().async_added_to_hass()
        if self.coordinator.data is not None:
            self._take(self.coordinator.data)
        elif (last := await self.async_get_last_sensor_data()) is not None:
            self._attr_native_value = last.native_value
            if self.entity_description.key == CREDIT and isinstance(
                last.native_value, Decimal
            ):
                # All that depends on it begins with it as well.
                self.coordinator.remember(last.native_value)

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        if self.coordinator.data is not None:
            self._take(self.coordinator.data)
        super()._handle_coordinator_update()

    def _take(self, credit: Credit) -> None:
        self._attr_native_value = self.entity_description.value(credit)


@dataclass(frozen=True, kw_only=True)
class TotalSensorDescription(SensorEntityDescription):
    """A figure of what an account spent today."""

    value: Callable[[DayTotal], Decimal | int]


TOTAL_SENSORS = (
    TotalSensorDescription(
        key="parts_today",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value=lambda total: total.parts,
    ),
    TotalSensorDescription(
        key="spent_today",
        device_class=SensorDeviceClass.MONETARY,
        native_unit_of_measurement="EUR",
        suggested_display_precision=2,
        value=lambda total: total.cost,
    ),
)


class TotalSensor(AccountEntity, SensorEntity):
    """A figure of what an account spent since midnight; the ledger remembers it."""

    entity_description: TotalSensorDescription

    def __init__(
        self, entry: SmsItaliaConfigEntry, description: TotalSensorDescription
    ) -> None:
        """Show one figure."""
        super().__init__(entry, description.key)
        self.entity_description = description

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the account's spending, and midnight."""
        await super().async_added_to_hass()
        runtime = self.entry.runtime_data
        self.async_on_remove(runtime.messenger.listen(runtime.account.id, self._hear))
        self.async_on_remove(
            async_track_time_change(
                self.hass, self._turn_day, hour=0, minute=0, second=0
            )
        )
        self._take()

    @callback
    def _hear(self, event: Event) -> None:
        if isinstance(event, TotalsChanged):
            self._take()
            self.async_write_ha_state()

    @callback
    def _turn_day(self, _now: datetime) -> None:
        self._take()
        self.async_write_ha_state()

    def _take(self) -> None:
        runtime = self.entry.runtime_data
        total = runtime.messenger.spent_today(runtime.account.id)
        self._attr_native_value = self.entity_description.value(total)


class CreditDaysLeftSensor(
    AccountEntity, CoordinatorEntity[AccountCoordinator], SensorEntity
):
    """For how many days the credit lasts if the account goes on as in the last 30."""

    _attr_device_class = SensorDeviceClass.DURATION
    _attr_native_unit_of_measurement = UnitOfTime.DAYS
    _attr_suggested_display_precision = 0

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Know of no forecast yet."""
        AccountEntity.__init__(self, entry, "credit_days_left")
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)

    @override
    async def async_added_to_hass(self) -> None:
        """Make the first forecast, and one each day: the average changes with it."""
        await super().async_added_to_hass()
        self.async_on_remove(
            async_track_time_change(
                self.hass, self._turn_day, hour=0, minute=0, second=0
            )
        )
        self._forecast_soon()

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        self._forecast_soon()

    @callback
    def _turn_day(self, _now: datetime) -> None:
        self._forecast_soon()

    @callback
    def _forecast_soon(self) -> None:
        """Look into the ledger, off the event loop, and show the forecast."""
        self.entry.async_create_background_task(
            self.hass, self._forecast(), "sms_italia credit forecast"
        )

    async def _forecast(self) -> None:
        runtime = self.entry.runtime_data
        credit = self.coordinator.data
        cost = await runtime.messenger.daily_cost(runtime.account.id)
        self._attr_native_value = (
            None
            if credit is None or cost is None
            else max(credit.balance, Decimal(0)) / cost
        )
        self.async_write_ha_state()


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
_ATTRIBUTES = (ATTR_NUMBER, ATTR_TIME, ATTR_PARTS, ATTR_COST, ATTR_ERROR)


class DeliverySensor(RestoreSensor):
    """What became of the last text; of its messages, the one that needs attention."""

    entity_description = SensorEntityDescription(
        key=LAST_DELIVERY_STATUS,
        device_class=SensorDeviceClass.ENUM,
        options=[status.value for status in Status],
    )
    entry: SmsItaliaConfigEntry
    _messages: dict[int, Message]

    @override
    async def async_added_to_hass(self) -> None:
        """Show what was last known, and follow the account's messages."""
        await super().async_added_to_hass()
        self._messages = {}
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
        if latest and not self._messages:
            self._messages = {message.id: message for message in latest}
            self._show()

    @property
    @abstractmethod
    def _recipient(self) -> str | None:
        """The recipient whose messages are shown, None for all of the account."""

    @callback
    def _hear(self, event: Event) -> None:
        """Follow the newest dispatch; older ones do not come back."""
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
        known = next(iter(self._messages.values()), None)
        newest = max(message.dispatch.id for message in news)
        if known is not None and newest < known.dispatch.id:
            return
        if known is None or newest > known.dispatch.id:
            self._messages = {}
        self._messages.update(
            (message.id, message) for message in news if message.dispatch.id == newest
        )
        self._show()
        self.async_write_ha_state()

    def _show(self) -> None:
        """Show the message that most needs attention."""
        message = min(
            self._messages.values(),
            key=lambda message: _BY_ATTENTION.index(message.status),
        )
        self._attr_native_value = message.status
        self._attr_extra_state_attributes = {
            ATTR_NUMBER: mask_number(message.number),
            ATTR_TIME: dt_util.utc_from_timestamp(message.updated).isoformat(),
            ATTR_PARTS: message.parts,
            ATTR_COST: None if message.cost is None else float(message.cost),
            ATTR_ERROR: message.error,
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
