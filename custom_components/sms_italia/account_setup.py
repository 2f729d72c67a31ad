"""Makes the account of a config entry out of its data, options and recipients."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
import json
from typing import Any
import unicodedata

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

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
    CONF_NUMBERS,
    CONF_PROVIDER,
    CONF_RECEIVE,
    CONF_RESEND_UNCERTAIN,
    CONF_RETRY_FOR,
    DOMAIN,
    SUBENTRY_TYPE_RECIPIENT,
)
from .http_session import async_get_session
from .messaging import (
    Account,
    AccountOptions,
    BadTarget,
    DeliveryReports,
    NumberProblem,
    Target,
    TextEncoding,
    bounded,
    parse_numbers,
)
from .providers import (
    DEFAULT_TIMEOUTS,
    PROVIDERS,
    Channel,
    Provider,
    ProviderClient,
    Settings,
)
from .runtime import SmsItaliaConfigEntry
from .webhook import DeliveryWebhook

_DEFAULT_COUNTRY = "IT"

_MOST_CHARACTERS = 100
"""Of what is no number, as its message keeps it."""

_REPEAT_MARKER = "repeat_marker"
"""The one option of a provider that the messaging layer carries out."""

_CHANNEL = "channel"
"""The option of a provider with an app, whose choices are channels."""


async def create_account(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    webhook: DeliveryWebhook,
    client: ProviderClient | None = None,
) -> Account:
    """Return the account of a config entry, with a new client unless one is given."""
    texts = await async_get_translations(hass, hass.config.language, "common", {DOMAIN})
    bundle_heading = texts[f"component.{DOMAIN}.common.bundle_heading"]
    provider = PROVIDERS[entry.data[CONF_PROVIDER]]
    options = read_options(entry.options, default_country(hass))
    recipients = {
        subentry.subentry_id: tuple(
            await parse_targets(hass, subentry.data[CONF_NUMBERS], subentry.subentry_id)
        )
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT)
    }
    return Account(
        id=entry.entry_id,
        name=entry.title,
        provider=provider,
        client=client or create_client(hass, provider, entry.data, entry.options),
        sender=entry.data.get("sender"),
        options=options,
        recipients=recipients,
        callback_url=webhook.callback_url,
        bundle_heading=lambda count: bundle_heading.format(count=count),
        channel=read_channel(entry.options),
    )


def create_client(
    hass: HomeAssistant,
    provider: Provider,
    data: Mapping[str, Any],
    options: Mapping[str, Any],
) -> ProviderClient:
    """Return a client for the data and options of a config entry."""
    settings = read_settings(provider, data, options)
    return provider.create(async_get_session(hass), settings, DEFAULT_TIMEOUTS)


def default_country(hass: HomeAssistant) -> str:
    """Return the country of numbers without a country code (ISO 3166)."""
    return hass.config.country or _DEFAULT_COUNTRY


async def parse_targets(
    hass: HomeAssistant, given: Sequence[str], recipient: str | None = None
) -> list[Target | BadTarget]:
    """Return the targets of numbers as given, of a recipient if its ID is given."""
    parsed = await parse_numbers(given, default_country(hass))
    return [
        BadTarget(given=bounded(value, _MOST_CHARACTERS), problem=number)
        if isinstance(number, NumberProblem)
        else Target(number=number, recipient=recipient)
        for value, number in zip(given, parsed, strict=True)
    ]


def name_key(name: str) -> str:
    """Return what two names of recipients have in common that people take for one.

    However they were typed: composed or not, with more blanks or other letter case.
    """
    return normalized_name(name).casefold()


def normalized_name(name: str) -> str:
    """Return a name as it is stored: composed, with single blanks."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def read_options(options: Mapping[str, Any], country: str) -> AccountOptions:
    """Return the options of an account; each one that is not set has its default.

    `options` is what the options form stored; `country` is the one allowed country
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
        # By way of a string: the decimal that was typed, not its nearest float.
        low_credit=Decimal(str(options.get(CONF_LOW_CREDIT, default.low_credit))),
        history_days=options.get(CONF_HISTORY_DAYS, default.history_days),
        repeat_marker=options.get(_REPEAT_MARKER, default.repeat_marker),
        bundle_after=options.get(CONF_BUNDLE_AFTER, default.bundle_after),
        receive=options.get(CONF_RECEIVE, default.receive),
    )


def read_channel(options: Mapping[str, Any]) -> Channel:
    """Return the channel of messages that name none."""
    return Channel(options.get(_CHANNEL, Channel.SMS))


def read_settings(
    provider: Provider, data: Mapping[str, Any], options: Mapping[str, Any]
) -> Settings:
    """Return the settings of a provider's client.

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
