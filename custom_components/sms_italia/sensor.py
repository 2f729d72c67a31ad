"""Sensors of accounts, recipients and escalations; here those of the credit."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .amounts import as_euro
from .const import DOMAIN
from .coordinator import CREDIT_FEATURES, AccountCoordinator
from .entity import (
    AccountEntity,
    async_add_escalations,
    async_add_recipients,
    unique_id_of,
)
from .providers import Credit, Feature, PushPlan
from .runtime import SmsItaliaConfigEntry
from .sensor_delivery import AccountDeliverySensor, RecipientDeliverySensor
from .sensor_escalation import EscalationSensor
from .sensor_spending import (
    PARTS_TODAY,
    SPENT_TODAY,
    CreditDaysLeftSensor,
    SpentMonthSensor,
    TotalSensor,
)
from .sensor_waiting import WaitingSensor

PARALLEL_UPDATES = 0

CREDIT = "credit"


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
        value=lambda credit: as_euro(credit.balance),
    ),
    CreditSensorDescription(
        key="sms_left",
        state_class=SensorStateClass.MEASUREMENT,
        features=frozenset({Feature.SMS_LEFT}),
        value=lambda credit: credit.sms_left,
    ),
)
PUSH_LEFT = CreditSensorDescription(
    key="push_left",
    state_class=SensorStateClass.MEASUREMENT,
    features=frozenset({Feature.PUSH_LEFT}),
    value=lambda credit: credit.push_left,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the account, its recipients and its escalations."""
    features = entry.runtime_data.account.provider.capabilities.features
    async_add_entities(
        CreditSensor(entry, description)
        for description in CREDIT_SENSORS
        if description.features & features
    )
    async_add_entities(
        [
            AccountDeliverySensor(entry),
            WaitingSensor(entry),
            TotalSensor(entry, PARTS_TODAY),
        ]
    )
    if CREDIT_FEATURES & features:
        # Providers that do not report the credit do not report prices either.
        async_add_entities(
            [
                CreditDaysLeftSensor(entry),
                TotalSensor(entry, SPENT_TODAY),
                SpentMonthSensor(entry),
            ]
        )
    if PUSH_LEFT.features & features:
        _add_push_left(hass, entry, async_add_entities)
    async_add_recipients(hass, entry, async_add_entities, RecipientDeliverySensor)
    async_add_escalations(hass, entry, async_add_entities, EscalationSensor)


class CreditSensor(AccountEntity, CoordinatorEntity[AccountCoordinator], RestoreSensor):
    """A figure of an account's credit; the last known one survives a restart."""

    entity_description: CreditSensorDescription

    def __init__(
        self, entry: SmsItaliaConfigEntry, description: CreditSensorDescription
    ) -> None:
        """Set up the sensor of one figure."""
        AccountEntity.__init__(self, entry, description.key)
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)
        self.entity_description = description

    @override
    async def async_added_to_hass(self) -> None:
        """Restore the last known figure unless there is a newer one."""
        await super().async_added_to_hass()
        if self.coordinator.data is not None:
            self._update_value(self.coordinator.data)
        elif (last := await self.async_get_last_sensor_data()) is not None:
            self._attr_native_value = last.native_value
            if self.entity_description.key == CREDIT and isinstance(
                last.native_value, Decimal
            ):
                # The entities that depend on it restore theirs by it.
                self.coordinator.restore_balance(last.native_value)

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        if self.coordinator.data is not None:
            self._update_value(self.coordinator.data)
        elif self.coordinator.lacks_credit:
            # The last known figure would promise messages that are refused.
            self._attr_native_value = None
        super()._handle_coordinator_update()

    def _update_value(self, credit: Credit) -> None:
        self._attr_native_value = self.entity_description.value(credit)


@callback
def _add_push_left(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the Push left as soon as the account is known to have a plan.

    An account that once had a plan keeps the sensor: the plan may come back.
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
    def add_with_plan() -> None:
        nonlocal is_added
        credit = coordinator.data
        if credit and credit.push_plan is PushPlan.ACTIVE and not is_added:
            is_added = True
            async_add_entities([PushLeftSensor(entry, PUSH_LEFT)])

    entry.async_on_unload(coordinator.async_add_listener(add_with_plan))


class PushLeftSensor(CreditSensor):
    """How many messages the Push plan still has; unavailable without a plan."""

    @property
    @override
    def available(self) -> bool:
        """Return whether there is a plan, as far as is known."""
        credit = self.coordinator.data
        has_none = credit is not None and credit.push_plan is PushPlan.NONE
        return super().available and not has_none
