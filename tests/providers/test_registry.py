"""The providers and their forms."""

import aiohttp
import pytest
from yarl import URL

from custom_components.sms_italia.providers.client import (
    Feature,
    FieldKind,
    Placement,
    Presence,
    Provider,
    SenderRule,
    parse_url,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from custom_components.sms_italia.providers.transport import DEFAULT_TIMEOUTS

from .helpers import KEYS, SETTINGS

MAIN, ADVANCED = Placement.MAIN, Placement.ADVANCED
REQUIRED, OPTIONAL = Presence.REQUIRED, Presence.OPTIONAL

FORMS = {
    "smsviainternet": [
        ("api_token", REQUIRED, MAIN, None),
        ("sender", OPTIONAL, MAIN, None),
        ("username", OPTIONAL, ADVANCED, None),
        ("password", OPTIONAL, ADVANCED, None),
        ("url", REQUIRED, ADVANCED, "https://v2.smsviainternet.it"),
    ],
    "smshosting": [
        ("auth_key", REQUIRED, MAIN, None),
        ("auth_secret", REQUIRED, MAIN, None),
        ("sender", OPTIONAL, MAIN, None),
        ("url", REQUIRED, ADVANCED, "https://api.smshosting.it/rest/api"),
    ],
    "transactionale": [
        ("api_key", REQUIRED, MAIN, None),
        ("sender", REQUIRED, MAIN, None),
        ("url", REQUIRED, ADVANCED, "https://api.transactionale.com"),
    ],
    "inviosmart": [
        ("username", REQUIRED, MAIN, None),
        ("password", REQUIRED, MAIN, None),
        ("sender", REQUIRED, MAIN, None),
        ("country_prefix", REQUIRED, MAIN, "39"),
        ("url", REQUIRED, ADVANCED, "http://httpapi.inviosmart.it"),
    ],
}
SECRETS = {"api_token", "password", "auth_secret", "api_key"}


def fields(provider: Provider) -> list[tuple[str, Presence, Placement, str | None]]:
    """Return what a form shows of each field."""
    return [
        (field.key, field.presence, field.placement, field.default)
        for field in provider.fields
    ]


def test_the_four_providers_stand_in_the_order_of_the_menu() -> None:
    assert list(PROVIDERS) == list(FORMS)
    assert [provider.key for provider in PROVIDERS.values()] == list(FORMS)


@pytest.mark.parametrize("key", KEYS)
def test_each_form_has_its_fields(key: str) -> None:
    assert fields(PROVIDERS[key]) == FORMS[key]


@pytest.mark.parametrize("key", KEYS)
def test_what_is_secret_is_typed_as_a_secret(key: str) -> None:
    provider = PROVIDERS[key]

    assert {
        field.key for field in provider.fields if field.kind is FieldKind.SECRET
    } == {field.key for field in provider.fields} & SECRETS


@pytest.mark.parametrize(
    ("key", "identity"),
    [
        ("smsviainternet", ("api_token", "username")),
        ("smshosting", ("auth_key",)),
        ("transactionale", ("api_key",)),
        ("inviosmart", ("username",)),
    ],
)
def test_the_identity_of_an_account_is_made_of_its_fields(
    key: str, identity: tuple[str, ...]
) -> None:
    provider = PROVIDERS[key]

    assert provider.identity == identity
    assert {field.key for field in provider.fields} >= set(identity)


@pytest.mark.parametrize(
    ("key", "recipients", "parts"),
    [
        ("smsviainternet", 5000, 99),
        ("smshosting", 5000, 7),
        ("transactionale", 1, 255),
        ("inviosmart", 1, 4),
    ],
)
def test_the_limits_are_those_of_the_provider(
    key: str, recipients: int, parts: int
) -> None:
    capabilities = PROVIDERS[key].capabilities

    assert capabilities.recipients_per_submission == recipients
    assert capabilities.max_parts == parts


@pytest.mark.parametrize(
    ("key", "features"),
    [
        ("smsviainternet", {Feature.CREDIT_WITH_SEND, Feature.CREDIT_IF_OFFERED}),
        ("smshosting", {Feature.CREDIT, Feature.SMS_LEFT, Feature.PUSH_LEFT}),
        ("transactionale", set()),
        ("inviosmart", {Feature.CREDIT, Feature.SMS_LEFT}),
    ],
)
def test_each_provider_reports_the_credit_in_its_way(
    key: str, features: set[Feature]
) -> None:
    of_credit = {
        Feature.CREDIT,
        Feature.CREDIT_IF_OFFERED,
        Feature.CREDIT_WITH_SEND,
        Feature.SMS_LEFT,
        Feature.PUSH_LEFT,
    }
    claimed = PROVIDERS[key].capabilities.features

    assert claimed & of_credit == features
    assert Feature.DELIVERY_POLL in claimed


METHODS = {
    "credit": {Feature.CREDIT, Feature.CREDIT_IF_OFFERED},
    "credit_with_push": {Feature.PUSH_LEFT},
    "lookup": {Feature.CLIENT_REFERENCE},
    "_estimate": {Feature.ESTIMATE},
    "cancel": {Feature.CANCEL},
    "create_invitation": {Feature.PUSH},
    "picture": {Feature.PICTURE_PUSH},
    "find_pictures": {Feature.PICTURE_PUSH},
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_feature_is_claimed_only_by_a_client_that_has_it(
    key: str, method: str, session: aiohttp.ClientSession
) -> None:
    client = PROVIDERS[key].create(session, SETTINGS[key], DEFAULT_TIMEOUTS)

    assert (method in vars(type(client))) == bool(
        METHODS[method] & PROVIDERS[key].capabilities.features
    )
    assert client.capabilities is PROVIDERS[key].capabilities


@pytest.mark.parametrize("key", KEYS)
async def test_a_bad_address_is_a_value_error_that_does_not_repeat_it(
    key: str, session: aiohttp.ClientSession
) -> None:
    settings = {**SETTINGS[key], "url": "https://anna:pw-Ww1@esempio.it"}

    with pytest.raises(ValueError, match="not a base address") as error:
        PROVIDERS[key].create(session, settings, DEFAULT_TIMEOUTS)

    assert "pw-Ww1" not in str(error.value)


@pytest.mark.parametrize("key", KEYS)
async def test_no_representation_of_a_client_shows_its_credentials(
    key: str, session: aiohttp.ClientSession
) -> None:
    client = PROVIDERS[key].create(session, SETTINGS[key], DEFAULT_TIMEOUTS)

    shown = repr(client) + repr(vars(client))

    assert "Kx8" not in shown


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://a.it", "https://a.it"),
        (" https://a.it/ ", "https://a.it"),
        ("http://a.it:8080/x/y//", "http://a.it:8080/x/y"),
        ("https://NOME.web-servizi.net", "https://nome.web-servizi.net"),
    ],
)
def test_a_base_address_loses_its_last_slash(value: str, url: str) -> None:
    assert parse_url(value) == URL(url)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a.it",
        "//a.it",
        "ftp://a.it",
        "https://",
        "https:///x",
        "https://a.it?x=1",
        "https://a.it#x",
        "https://anna@a.it",
        "https://anna:pw@a.it",
        "https://a.it:99999",
        "https://[::1",
    ],
)
def test_what_is_no_base_address_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_url(value)


DEFAULT = SenderRule()
TRANSACTIONALE = PROVIDERS["transactionale"].capabilities.sender
INVIOSMART = PROVIDERS["inviosmart"].capabilities.sender


@pytest.mark.parametrize(
    ("rule", "sender"),
    [
        (DEFAULT, "Casa"),
        (DEFAULT, "Casa Mia 2!"),
        (DEFAULT, "+393401234567"),
        (DEFAULT, "393401234567"),
        (TRANSACTIONALE, "Casa Mia 2."),
        (TRANSACTIONALE, "4850123456"),
        (TRANSACTIONALE, "+4850123456"),
        (INVIOSMART, "MyName"),
        (INVIOSMART, "+393401234567"),
    ],
)
def test_a_good_sender_is_allowed(rule: SenderRule, sender: str) -> None:
    assert rule.allows(sender)


@pytest.mark.parametrize(
    ("rule", "sender"),
    [
        (DEFAULT, ""),
        (DEFAULT, "DodiciLetter"),
        (DEFAULT, "12"),
        (DEFAULT, "12345678901234567"),
        (DEFAULT, "Casa\n"),
        (DEFAULT, "+39 340"),
        (TRANSACTIONALE, "Casa-Mia"),
        (TRANSACTIONALE, "Casa_Mia"),
        (TRANSACTIONALE, "+Casa"),
        (TRANSACTIONALE, "393401234567"),
        (INVIOSMART, "Città"),
        (INVIOSMART, "+Casa"),
    ],
)
def test_a_bad_sender_is_not_allowed(rule: SenderRule, sender: str) -> None:
    assert not rule.allows(sender)
