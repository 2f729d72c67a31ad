"""What is stored in a config entry, read into the words of the layers below."""

from collections.abc import Mapping
from decimal import Decimal
import json
from typing import Any

from homeassistant.core import HomeAssistant

from .const import (
    CONF_ALLOWED_COUNTRIES,
    CONF_BUNDLE_AFTER,
    CONF_DAILY_LIMIT,
    CONF_DELIVERY_REPORTS,
    CONF_ENCODING,
    CONF_FAILOVER_ON_FAILED_DELIVERY,
    CONF_FALLBACK,
    CONF_HISTORY_DAYS,
    CONF_LOW_CREDIT,
    CONF_MAX_PARTS,
    CONF_RESEND_UNCERTAIN,
    CONF_RETRY_FOR,
)
from .messaging.account import AccountOptions, DeliveryReports
from .messaging.text import TextEncoding
from .providers.client import Provider, Settings
from .providers.model import Channel

_DEFAULT_COUNTRY = "IT"

_REPEAT_MARKER = "repeat_marker"
"""The one option of a provider that the messaging layer carries out."""

_CHANNEL = "channel"
"""The option of a provider with an app of its own, whose choices are channels."""


def default_country(hass: HomeAssistant) -> str:
    """Return the country that numbers without a prefix belong to (ISO 3166)."""
    return hass.config.country or _DEFAULT_COUNTRY


def read_options(options: Mapping[str, Any], country: str) -> AccountOptions:
    """Return the options of an account, with the default of each that is not set.

    `options` is what the options form stored; `country` is the one allowed
    unless the user chose others.
    """
    default = AccountOptions()
    return AccountOptions(
        encoding=TextEncoding(options.get(CONF_ENCODING, default.encoding)),
        max_parts=options.get(CONF_MAX_PARTS, default.max_parts),
        daily_limit=options.get(CONF_DAILY_LIMIT, default.daily_limit),
        allowed_countries=frozenset(options.get(CONF_ALLOWED_COUNTRIES, (country,))),
        fallback=tuple(options.get(CONF_FALLBACK, default.fallback)),
        resend_uncertain=options.get(CONF_RESEND_UNCERTAIN, default.resend_uncertain),
        failover_on_failed_delivery=options.get(
            CONF_FAILOVER_ON_FAILED_DELIVERY, default.failover_on_failed_delivery
        ),
        retry_for=(
            options[CONF_RETRY_FOR] * 60
            if CONF_RETRY_FOR in options
            else default.retry_for
        ),
        delivery_reports=DeliveryReports(
            options.get(CONF_DELIVERY_REPORTS, default.delivery_reports)
        ),
        # Through a string: the decimal that was typed, not its nearest float.
        low_credit=Decimal(str(options.get(CONF_LOW_CREDIT, default.low_credit))),
        history_days=options.get(CONF_HISTORY_DAYS, default.history_days),
        repeat_marker=options.get(_REPEAT_MARKER, default.repeat_marker),
        bundle_after=options.get(CONF_BUNDLE_AFTER, default.bundle_after),
    )


def read_channel(options: Mapping[str, Any]) -> Channel:
    """Return how an account sends what names no channel."""
    return Channel(options.get(_CHANNEL, Channel.SMS))


def read_settings(
    provider: Provider, data: Mapping[str, Any], options: Mapping[str, Any]
) -> Settings:
    """Return what the provider's client is made of.

    `data` and `options` are those of the config entry.
    """
    fields = {
        field.key: data[field.key] for field in provider.fields if field.key in data
    }
    chosen = {
        option.key: _setting(options[option.key])
        for option in provider.options
        if option.key in options
    }
    return fields | chosen


def _setting(value: str | float) -> str:
    """Return an option's value as a setting: a word as it stands, else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
