"""Sensors: an account's credit and its spending."""

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
from homeassistant.const import Platform, UnitOfTime
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_call_later, async_track_time_change
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import dt as dt_util

from .const import DOMAIN, SUBENTRY_TYPE_RECIPIENT
from .coordinator import CREDIT_FEATURES, AccountCoordinator
from .entity import AccountEntity, unique_id_of
from .messaging.book import Event, TotalsChanged
from .messaging.model import DayTotal
from .providers.client import Feature
from .providers.model import Credit, PushPlan
from .runtime import SmsItaliaConfigEntry
from .sensor_delivery import AccountDeliverySensor, RecipientDeliverySensor

PARALLEL_UPDATES = 0

CREDIT = "credit"
ATTR_PRICES = "prices"
"""What a part to each country cost last, in euro."""

_EURO = Decimal("0.0001")
_CENT = Decimal("0.01")
_TENTH = Decimal("0.1")

_REST = 1.0
"""Seconds between looks into the ledger."""


def _euro(value: Decimal) -> Decimal:
    """Return an amount with its cents, and two digits more where they are not 0."""
    exact = value.quantize(_EURO)
    rounded = value.quantize(_CENT)
    return rounded if rounded == exact else exact.normalize()


@dataclass(frozen=True, kw_only=True)
class CreditSensorDescription(SensorEntityDescription):
    """A figure of the credit, shown for providers with one of the features."""

    features: frozenset[Feature]
    value: Callable[[Credit], Decimal | int | None]


CREDIT_SENSORS = (
    CreditSensorDescription(
        key=CREDIT,
        device_class=SensorDeviceClass.MONETARY,
        native_unit_of_measurement="EUR",
        state_class=SensorStateClass.TOTAL,
        suggested_display_precision=2,
        features=CREDIT_FEATURES,
        value=lambda credit: _euro(credit.balance),
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
    async_add_entities([AccountDeliverySensor(entry), TotalSensor(entry, PARTS_TODAY)])
    if CREDIT_FEATURES & features:
        # Who tells no credit tells no price either.
        async_add_entities(
            [
                CreditDaysLeftSensor(entry),
                TotalSensor(entry, SPENT_TODAY),
                SpentMonthSensor(entry),
            ]
        )
    if Feature.PUSH_LEFT in features:
        _add_push_left(hass, entry, async_add_entities)
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


PUSH_LEFT = CreditSensorDescription(
    key="push_left",
    state_class=SensorStateClass.MEASUREMENT,
    features=frozenset({Feature.PUSH_LEFT}),
    value=lambda credit: credit.push_left,
)


@callback
def _add_push_left(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the Push left as soon as the account is seen to have a plan.

    An account that had one once keeps the sensor: the plan may come back.
    """
    coordinator = entry.runtime_data.coordinator
    if er.async_get(hass).async_get_entity_id(
        Platform.SENSOR, DOMAIN, unique_id_of(entry, PUSH_LEFT.key)
    ):
        coordinator.follow_push()
        async_add_entities([PushLeftSensor(entry, PUSH_LEFT)])
        return
    is_added = False

    @callback
    def look() -> None:
        nonlocal is_added
        credit = coordinator.data
        if credit and credit.push_plan is PushPlan.ACTIVE and not is_added:
            is_added = True
            async_add_entities([PushLeftSensor(entry, PUSH_LEFT)])

    entry.async_on_unload(coordinator.async_add_listener(look))


class PushLeftSensor(CreditSensor):
    """How many messages the Push plan still has; unavailable without a plan."""

    @property
    @override
    def available(self) -> bool:
        """Whether there is a plan, as far as it is known."""
        credit = self.coordinator.data
        has_none = credit is not None and credit.push_plan is PushPlan.NONE
        return super().available and not has_none


@dataclass(frozen=True, kw_only=True)
class TotalSensorDescription(SensorEntityDescription):
    """A figure of what an account spent today."""

    value: Callable[[DayTotal], Decimal | int]


PARTS_TODAY = TotalSensorDescription(
    key="parts_today",
    state_class=SensorStateClass.TOTAL_INCREASING,
    value=lambda total: total.parts,
)
SPENT_TODAY = TotalSensorDescription(
    key="spent_today",
    device_class=SensorDeviceClass.MONETARY,
    native_unit_of_measurement="EUR",
    suggested_display_precision=2,
    value=lambda total: _euro(total.cost),
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


class LedgerSensor(AccountEntity, SensorEntity):
    """A figure of an account that stands in the ledger.

    In a storm it is looked up every second only, so as not to hold up what is sent.
    """

    def __init__(self, entry: SmsItaliaConfigEntry, key: str) -> None:
        """Know of nothing yet."""
        super().__init__(entry, key)
        self._is_stale = False
        self._is_reading = False
        self._end_of_rest: CALLBACK_TYPE | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Follow midnight, which changes every such figure."""
        await super().async_added_to_hass()
        self.async_on_remove(
            async_track_time_change(
                self.hass, self._read_now, hour=0, minute=0, second=0
            )
        )
        self.async_on_remove(self._end_rest)
        self._read_now()

    @callback
    def _end_rest(self) -> None:
        if self._end_of_rest is not None:
            self._end_of_rest()
            self._end_of_rest = None

    @callback
    def _read_now(self, _now: datetime | None = None) -> None:
        """Look into the ledger at once, and again whenever something changes."""
        self._end_rest()
        self._begin(rest=0)

    @callback
    def _read_soon(self) -> None:
        """Look into the ledger now, or when what was looked up last is a second old."""
        self._is_stale = True
        if self._end_of_rest is None:
            self._begin(rest=_REST)

    @callback
    def _begin(self, rest: float) -> None:
        """Look into the ledger, off the event loop, unless somebody does."""
        self._is_stale = True
        if not self._is_reading:
            self._is_reading = True
            self.entry.async_create_background_task(
                self.hass,
                self._look(rest),
                "sms_italia figures",
                # What is told of now is written after it was told.
                eager_start=False,
            )

    async def _look(self, rest: float) -> None:
        """Show what the ledger says, and rest for some seconds then."""
        try:
            self._is_stale = False
            await self._read()
            self.async_write_ha_state()
        finally:
            self._is_reading = False
        if self._is_stale:
            rest = _REST
        if rest:
            self._end_of_rest = async_call_later(
                self.hass, rest, HassJob(self._go_on, cancel_on_shutdown=True)
            )

    @callback
    def _go_on(self, _now: datetime) -> None:
        """Look again if anything has changed while it rested."""
        self._end_of_rest = None
        if self._is_stale:
            self._read_soon()

    @abstractmethod
    async def _read(self) -> None:
        """Take the figure from the ledger."""


class SpentMonthSensor(LedgerSensor):
    """What an account spent since the first of the month; the ledger remembers it."""

    _attr_device_class = SensorDeviceClass.MONETARY
    _attr_native_unit_of_measurement = "EUR"
    _attr_state_class = SensorStateClass.TOTAL
    _attr_suggested_display_precision = 2

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Know of nothing spent yet."""
        super().__init__(entry, "spent_month")

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the account's spending."""
        await super().async_added_to_hass()
        runtime = self.entry.runtime_data
        self.async_on_remove(runtime.messenger.listen(runtime.account.id, self._hear))

    @callback
    def _hear(self, event: Event) -> None:
        if isinstance(event, TotalsChanged):
            self._read_soon()

    @override
    async def _read(self) -> None:
        messenger, account = self.entry.runtime_data.messenger, self.entry.entry_id
        prices = await messenger.prices(account)
        spent = await messenger.spent_month(account)
        self._attr_native_value = None if spent is None else _euro(spent)
        self._attr_last_reset = dt_util.start_of_local_day().replace(day=1)
        self._attr_extra_state_attributes = {
            ATTR_PRICES: {
                country: float(price) for country, price in sorted(prices.items())
            }
        }


class CreditDaysLeftSensor(LedgerSensor, CoordinatorEntity[AccountCoordinator]):
    """For how many days the credit lasts if the account goes on as in the last 30."""

    _attr_device_class = SensorDeviceClass.DURATION
    _attr_native_unit_of_measurement = UnitOfTime.DAYS
    _attr_suggested_display_precision = 0

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Know of no forecast yet."""
        LedgerSensor.__init__(self, entry, "credit_days_left")
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        self._read_soon()

    @override
    async def _read(self) -> None:
        runtime = self.entry.runtime_data
        credit = self.coordinator.data
        cost = await runtime.messenger.daily_cost(runtime.account.id)
        self._attr_native_value = (
            None
            if credit is None or cost is None
            else (max(credit.balance, Decimal(0)) / cost).quantize(_TENTH)
        )
