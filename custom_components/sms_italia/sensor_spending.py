"""Sensors that show what an account spends."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
import logging
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfTime
from homeassistant.core import callback
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import dt as dt_util

from .amounts import as_euro, euro_number
from .const import DOMAIN
from .coordinator import AccountCoordinator
from .entity import AccountEntity
from .messaging import DayChanged, DayTotal, Event, TotalsChanged
from .runtime import SmsItaliaConfigEntry

_LOGGER = logging.getLogger(__name__)

ATTR_PRICES = "prices"
"""The last price of a part by country, in euro."""

_TENTH = Decimal("0.1")

_COOLDOWN = 1.0
"""Seconds between two reads of the ledger."""


def _spent(total: DayTotal) -> Decimal | None:
    """Return what is shown as spent, None if it is not known."""
    cost = total.known_cost
    return None if cost is None else as_euro(cost)


@dataclass(frozen=True, kw_only=True)
class TotalSensorDescription(SensorEntityDescription):
    """A figure of what an account spent today."""

    value: Callable[[DayTotal], Decimal | int | None]


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
    value=_spent,
)


class TotalSensor(AccountEntity, SensorEntity):
    """A figure of what an account spent since midnight; it survives a restart."""

    entity_description: TotalSensorDescription

    def __init__(
        self, entry: SmsItaliaConfigEntry, description: TotalSensorDescription
    ) -> None:
        """Set up the sensor of one figure."""
        super().__init__(entry, description.key)
        self.entity_description = description

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the account's spending and days."""
        await super().async_added_to_hass()
        self.async_listen(self._handle_event)
        self._update_value()

    @callback
    def _handle_event(self, event: Event) -> None:
        if isinstance(event, TotalsChanged | DayChanged):
            self._update_value()
            self.async_write_ha_state()

    def _update_value(self) -> None:
        runtime = self.entry.runtime_data
        total = runtime.messenger.totals.spent_today(runtime.account.id)
        self._attr_native_value = self.entity_description.value(total)


class LedgerSensor(AccountEntity, SensorEntity):
    """A figure that is read from the ledger, at most once a second.

    More reads would slow down what is sent, which waits for the same file.
    """

    _debouncer: Debouncer[object]
    _is_stale = False

    @override
    async def async_added_to_hass(self) -> None:
        """Read the figure now and on each new day, which changes every such figure."""
        await super().async_added_to_hass()
        self._debouncer = Debouncer(
            self.hass,
            _LOGGER,
            cooldown=_COOLDOWN,
            immediate=True,
            function=self._run_refresh,
            background=True,
        )
        self.async_on_remove(self._debouncer.async_shutdown)
        self.async_listen(self._handle_event)
        self._refresh_now()

    @callback
    def _handle_event(self, event: Event) -> None:
        if isinstance(event, DayChanged):
            self._refresh_now()

    @callback
    def _refresh_now(self) -> None:
        """Read the figure at once; the next change is read without a cooldown."""
        self._debouncer.async_cancel()
        self.entry.async_create_background_task(
            self.hass, self._refresh_alone(), f"{DOMAIN} ledger sensor"
        )

    @callback
    def _refresh_soon(self) -> None:
        """Read the figure now, or when the cooldown is over."""
        self._is_stale = True
        self._debouncer.async_schedule_call()

    async def _refresh_alone(self) -> None:
        """Read the figure while the debouncer starts no other read."""
        async with self._debouncer.async_lock():
            await self._run_refresh()

    async def _run_refresh(self) -> None:
        """Read the figure in a task that ends with the account."""
        await self.entry.async_create_background_task(
            self.hass,
            self._refresh(),
            f"{DOMAIN} ledger sensor",
            # A change is passed to the ledger after its event.
            eager_start=False,
        )

    async def _refresh(self) -> None:
        """Read the figure and show it."""
        self._is_stale = False
        await self._read()
        self.async_write_ha_state()
        if self._is_stale:
            # The debouncer drops calls that come due while a read is running.
            self._debouncer.async_schedule_call()

    @abstractmethod
    async def _read(self) -> None:
        """Set the value to that of the ledger."""


class SpentMonthSensor(LedgerSensor):
    """What an account spent since the first of the month, in euro."""

    _attr_device_class = SensorDeviceClass.MONETARY
    _attr_native_unit_of_measurement = "EUR"
    _attr_state_class = SensorStateClass.TOTAL
    _attr_suggested_display_precision = 2
    _unrecorded_attributes = frozenset({ATTR_PRICES})

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the sensor of an account."""
        super().__init__(entry, "spent_month")

    @override
    @callback
    def _handle_event(self, event: Event) -> None:
        super()._handle_event(event)
        if isinstance(event, TotalsChanged):
            self._refresh_soon()

    @override
    async def _read(self) -> None:
        messenger, account = self.entry.runtime_data.messenger, self.entry.entry_id
        prices = await messenger.prices(account)
        spent = await messenger.totals.spent_this_month(account)
        self._attr_native_value = None if spent is None else as_euro(spent)
        self._attr_last_reset = dt_util.start_of_local_day().replace(day=1)
        self._attr_extra_state_attributes = {
            ATTR_PRICES: {
                country: euro_number(price) for country, price in sorted(prices.items())
            }
        }


class CreditDaysLeftSensor(LedgerSensor, CoordinatorEntity[AccountCoordinator]):
    """For how many days the credit lasts at the average cost of the last 30 days."""

    _attr_device_class = SensorDeviceClass.DURATION
    _attr_native_unit_of_measurement = UnitOfTime.DAYS
    _attr_suggested_display_precision = 0

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the sensor of an account."""
        LedgerSensor.__init__(self, entry, "credit_days_left")
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        self._refresh_soon()

    @override
    async def _read(self) -> None:
        runtime = self.entry.runtime_data
        credit = self.coordinator.data
        cost = await runtime.messenger.totals.average_daily_cost(runtime.account.id)
        self._attr_native_value = (
            None
            if credit is None or cost is None
            else (max(credit.balance, Decimal(0)) / cost).quantize(_TENTH)
        )
