"""Accounts of Home Assistant at the simulated providers."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util.uuid import random_uuid_hex
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sms_italia.config_flow import SmsItaliaConfigFlow
from custom_components.sms_italia.const import (
    CONF_MEMBERS,
    CONF_NUMBERS,
    CONF_PROVIDER,
    CONF_QUIET,
    CONF_ROUNDS,
    CONF_TELL_OTHERS,
    CONF_UNTIL,
    CONF_WAIT,
    DOMAIN,
    SECTION_ADVANCED,
    SUBENTRY_TYPE_ESCALATION,
    SUBENTRY_TYPE_RECIPIENT,
)
from custom_components.sms_italia.flows.account import account_unique_id
from custom_components.sms_italia.messaging import Until
from custom_components.sms_italia.providers import (
    PROVIDERS,
    FieldKind,
    Placement,
    Presence,
    SettingsField,
)
from simulator import Simulator

SENDER = "Casa"
PROFILE = "simulatore"
"""The user name in the profile at the simulated Smshosting."""


def settings_for(simulator: Simulator, key: str, **changes: str) -> dict[str, str]:
    """Return good settings for a provider; a change to "" leaves a field out."""
    values = {
        **simulator.credentials(key),
        "sender": SENDER,
        "country_prefix": "39",
        "url": simulator.url(key),
        **changes,
    }
    return {
        field.key: values[field.key]
        for field in PROVIDERS[key].fields
        if values.get(field.key)
    }


def as_input(
    fields: Iterable[SettingsField], values: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the UI sends of a form with these fields and values."""
    typed: dict[str, Any] = {}
    advanced: dict[str, Any] = {}
    for field in fields:
        folded_in = field.placement is Placement.ADVANCED
        place = advanced if folded_in else typed
        if folded_in:
            typed[SECTION_ADVANCED] = advanced
        if field.key in values:
            value = values[field.key]
            is_number = field.kind is FieldKind.COUNTRY_PREFIX
            place[field.key] = float(value) if is_number else value
    return typed


def _unique_id(key: str, settings: Mapping[str, str], customer: str) -> str:
    """Return the unique ID that the config flow would have given to an account."""
    customers = {"inviosmart": settings.get("username"), "smshosting": customer}
    name = customers.get(key)
    return account_unique_id(PROVIDERS[key], name) if name else random_uuid_hex()


def secrets_of(key: str) -> list[str]:
    """Return the names of the provider's secret fields that must be filled in."""
    return [
        field.key
        for field in PROVIDERS[key].fields
        if field.kind is FieldKind.SECRET and field.presence is Presence.REQUIRED
    ]


def arrived(simulator: Simulator) -> list[tuple[str, str]]:
    """Return the number and the text of every message the providers accepted."""
    return [(message.to, message.text) for message in simulator.messages]


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true that work in the background makes true."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nothing there could set an event
            await asyncio.sleep(0.01)


def appearance(hass: HomeAssistant, entity_id: str) -> dict[str, Any]:
    """Return all that can be seen of an entity and its device, in plain words.

    What is another at every run or in every release of Home Assistant is left out.
    """
    devices, state = dr.async_get(hass), hass.states.get(entity_id)
    entity = er.async_get(hass).async_get(entity_id)
    assert state is not None
    assert entity is not None
    assert entity.device_id is not None
    device = devices.async_get(entity.device_id)
    assert isinstance(device, dr.DeviceEntry)
    via = devices.async_get(device.via_device_id) if device.via_device_id else None
    return {
        "state": str(state.state),
        "attributes": {
            str(name): _plain(value) for name, value in state.attributes.items()
        },
        "unique_id": entity.unique_id,
        "translation_key": entity.translation_key,
        "has_entity_name": entity.has_entity_name,
        "name": entity.original_name,
        "category": entity.entity_category,
        "disabled": entity.disabled,
        "subentry": entity.config_subentry_id,
        "device": {
            "identifiers": sorted(device.identifiers),
            "name": device.name,
            "manufacturer": device.manufacturer,
            "type": _plain(device.entry_type),
            "address": device.configuration_url,
            "via": sorted(via.identifiers) if via else None,
        },
    }


def _plain(value: object) -> object:
    """Return the plain value of an enum's member, alone or in a list."""
    match value:
        case list():
            return [_plain(item) for item in value]
        case Enum():
            return value.value
        case _:
            return value


def escalation(
    name: str,
    members: Iterable[tuple[str, str]],
    **plan: Any,  # noqa: ANN401 - values of several types
) -> ConfigSubentryDataWithId:
    """Return the data of an escalation's subentry."""
    data = {
        CONF_WAIT: 5,
        CONF_ROUNDS: 1,
        CONF_UNTIL: Until.ACKNOWLEDGED.value,
        CONF_TELL_OTHERS: False,
        CONF_QUIET: 0,
        **plan,
        CONF_MEMBERS: [
            {"config_entry_id": account, "subentry_id": recipient}
            for account, recipient in members
        ],
    }
    return ConfigSubentryDataWithId(
        subentry_id=name.lower(),
        subentry_type=SUBENTRY_TYPE_ESCALATION,
        title=name,
        unique_id=None,
        data=data,
    )


class Accounts:
    """Makes accounts without going through the UI."""

    def __init__(self, hass: HomeAssistant, simulator: Simulator) -> None:
        """Make them here, at these providers."""
        self._hass = hass
        self._simulator = simulator

    def add(  # noqa: PLR0913 - what an account is made of
        self,
        key: str,
        *,
        title: str | None = None,
        entry_id: str | None = None,
        settings: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        recipients: Mapping[str, Iterable[str]] | None = None,
        escalations: Mapping[str, Iterable[tuple[str, str]]] | None = None,
        plan: Mapping[str, Any] | None = None,
        customer: str = PROFILE,
    ) -> MockConfigEntry:
        """Add an account as the config flow would have made it; it is not set up.

        `settings` changes single settings; `recipients` are E.164 numbers by name,
        and the id of a recipient's subentry is its name in lower case. So is that of an
        escalation; its members are the ids of account and recipient, and `plan`
        changes the rest of it. `customer` is the one that Smshosting's profile names.
        """
        provider = PROVIDERS[key]
        data = settings_for(self._simulator, key, **(settings or {}))
        entry = MockConfigEntry(
            domain=DOMAIN,
            entry_id=entry_id,
            title=title or provider.name,
            unique_id=_unique_id(key, data, customer),
            version=SmsItaliaConfigFlow.VERSION,
            minor_version=SmsItaliaConfigFlow.MINOR_VERSION,
            data={CONF_PROVIDER: key, **data},
            options=dict(options or {}),
            subentries_data=[
                ConfigSubentryDataWithId(
                    subentry_id=name.lower(),
                    subentry_type=SUBENTRY_TYPE_RECIPIENT,
                    title=name,
                    unique_id=None,
                    data={CONF_NUMBERS: list(numbers)},
                )
                for name, numbers in (recipients or {}).items()
            ]
            + [
                escalation(name, members, **(plan or {}))
                for name, members in (escalations or {}).items()
            ],
        )
        entry.add_to_hass(self._hass)
        return entry

    async def set_up(self, key: str, **details: Any) -> MockConfigEntry:  # noqa: ANN401 - those of `add`
        """Add an account, set it up and let it ask for its credit."""
        entry = self.add(key, **details)
        assert await self._hass.config_entries.async_setup(entry.entry_id)
        await self._hass.async_block_till_done(wait_background_tasks=True)
        return entry
