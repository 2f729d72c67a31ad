"""The providers and their forms."""

import aiohttp
import pytest
from yarl import URL

from custom_components.sms_italia.providers.client import (
    Feature,
    FieldKind,
    Placement,
    Presence,
    SenderRule,
    parse_url,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from custom_components.sms_italia.providers.transport import DEFAULT_TIMEOUTS
from simulator import PROVIDERS as SIMULATED

from .helpers import KEYS, SETTINGS


def test_both_registries_list_the_same_providers_in_the_order_of_the_menu() -> None:
    assert list(PROVIDERS) == list(SIMULATED)
    assert [provider.key for provider in PROVIDERS.values()] == list(PROVIDERS)


@pytest.mark.parametrize("key", KEYS)
def test_the_required_credentials_are_those_that_the_provider_checks(key: str) -> None:
    required = {
        field.key
        for field in PROVIDERS[key].credentials
        if field.presence is Presence.REQUIRED
    }

    assert required == set(SIMULATED[key].new_account().credentials)


@pytest.mark.parametrize("key", KEYS)
def test_every_form_has_a_secret_a_sender_and_a_folded_in_address(key: str) -> None:
    fields = {field.key: field for field in PROVIDERS[key].fields}

    assert FieldKind.SECRET in {field.kind for field in fields.values()}
    assert fields["sender"].kind is FieldKind.SENDER
    assert fields["url"].placement is Placement.ADVANCED
    assert fields["url"].default
    assert len(fields) == len(PROVIDERS[key].fields)


@pytest.mark.parametrize("key", KEYS)
def test_every_provider_can_be_asked_for_the_delivery(key: str) -> None:
    assert Feature.DELIVERY_POLL in PROVIDERS[key].capabilities.features


METHODS = {
    "check": {Feature.CREDIT, Feature.CREDIT_IF_OFFERED},
    "credit_with_push": {Feature.PUSH_LEFT},
    "_lookup": {Feature.CLIENT_REFERENCE},
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

    with pytest.raises(ValueError, match=r"^not a base address of an API$"):
        PROVIDERS[key].create(session, settings, DEFAULT_TIMEOUTS)


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
        "https://anna:pw-Ww1@a.it:99999",
        "https://anna:pw-Ww1@a.it:x",
        "https://anna:pw-Ww1@[::1",
        "https://anna:pw-Ww1@xn--a",
        "https://xn--a",
        "https://\udcff",
    ],
)
def test_what_is_no_base_address_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(ValueError, match=r"^not a base address of an API$") as error:
        parse_url(value)

    # A log would show these too.
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


@pytest.mark.parametrize(
    "sender", ["Casa", "Casa Mia 2!", "+393401234567", "393401234567"]
)
def test_a_good_sender_is_allowed(sender: str) -> None:
    assert SenderRule().allows(sender)


@pytest.mark.parametrize(
    "sender", ["", "DodiciLetter", "12", "12345678901234567", "Casa\n", "+39 340"]
)
def test_a_bad_sender_is_not_allowed(sender: str) -> None:
    assert not SenderRule().allows(sender)


@pytest.mark.parametrize(
    ("sender", "refused"),
    [("Casa", ""), ("Casa\n🙂\n", "\n🙂"), ("+39 340", ""), ("Troppo lungo", "")],
)
def test_the_characters_of_a_name_that_are_refused_are_named(
    sender: str, refused: str
) -> None:
    assert "".join(SenderRule().refused_characters(sender)) == refused


@pytest.mark.parametrize("sender", ["Casa Mia", "A._-&1@*'", "+393401234567"])
def test_smshosting_takes_what_may_be_registered(sender: str) -> None:
    assert PROVIDERS["smshosting"].capabilities.sender.allows(sender)


@pytest.mark.parametrize("sender", ["Città", "Casa!", "Casa+"])
def test_smshosting_takes_nothing_else_in_a_name(sender: str) -> None:
    assert not PROVIDERS["smshosting"].capabilities.sender.allows(sender)
