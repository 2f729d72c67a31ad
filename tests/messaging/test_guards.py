"""What is refused before any request, and what the refusal says."""

import re
from typing import Any

import pytest

from custom_components.sms_italia.messaging.account import Account
from custom_components.sms_italia.messaging.errors import OrderRefusedError, Refusal
from custom_components.sms_italia.messaging.guards import (
    check_limit,
    check_sender,
    check_text,
    check_wishes,
    why_not_sent_to,
)
from custom_components.sms_italia.messaging.model import (
    BadTarget,
    Order,
    Target,
    Wishes,
)
from custom_components.sms_italia.messaging.numbers import NumberProblem, PhoneNumber
from custom_components.sms_italia.messaging.text import TextEncoding, prepare_text
from custom_components.sms_italia.providers.client import Feature
from custom_components.sms_italia.providers.model import Channel, Mode, Picture
from custom_components.sms_italia.providers.registry import PROVIDERS

from .helpers import LANDLINE, NUMBER, TEXT, House

FRENCH = Target(number=PhoneNumber("+33612345678", "FR"))


async def refused(
    house: House,
    account: Account,
    *to: Target | BadTarget,
    **order: Any,  # noqa: ANN401 - fields of an order
) -> OrderRefusedError:
    """Return the refusal of an order, of which no request may come of."""
    with pytest.raises(OrderRefusedError) as caught:
        await house.send(account.id, *to, **order)
    assert not house.simulator.requests
    assert not await house.found()
    return caught.value


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u200b"])
async def test_a_text_of_nothing_visible_is_refused(house: House, text: str) -> None:
    account = await house.attach("smsviainternet")
    refusal = await refused(house, account, text=text)
    assert refusal.reason is Refusal.EMPTY_TEXT


@pytest.mark.parametrize("key", PROVIDERS)
async def test_a_text_of_more_parts_than_the_provider_takes_is_refused(
    house: House, key: str
) -> None:
    account = await house.attach(key)
    most = PROVIDERS[key].capabilities.max_parts
    refusal = await refused(house, account, text="x" * (153 * most + 1))
    assert refusal.reason is Refusal.TOO_MANY_PARTS
    assert refusal.placeholders == {"parts": str(most + 1), "max_parts": str(most)}


async def test_a_text_of_more_parts_than_the_user_allows_is_refused(
    house: House,
) -> None:
    account = await house.attach("smsviainternet", max_parts=2)
    refusal = await refused(house, account, text="x" * (153 * 2 + 1))
    assert refusal.placeholders == {"parts": "3", "max_parts": "2"}


async def test_a_text_of_as_many_parts_as_allowed_is_sent(house: House) -> None:
    await house.attach("smsviainternet", max_parts=2)
    message = await house.one("smsviainternet", text="x" * (153 * 2))
    assert message.parts == 2
    assert house.accepted("smsviainternet")[0].parts == 2


def test_the_users_limit_of_parts_does_not_widen_the_providers(house: House) -> None:
    account = house.account("inviosmart", max_parts=99)
    most = PROVIDERS["inviosmart"].capabilities.max_parts
    text = prepare_text("x" * (153 * most + 1), TextEncoding.SMART)
    with pytest.raises(OrderRefusedError) as caught:
        check_text(account, text)
    assert caught.value.placeholders["max_parts"] == str(most)


async def test_a_sender_that_the_provider_refuses_is_named(house: House) -> None:
    account = await house.attach("smsviainternet")
    refusal = await refused(house, account, sender="Troppo lungo così")
    assert refusal.reason is Refusal.INVALID_SENDER
    assert refusal.placeholders == {"sender": "Troppo lungo così"}


@pytest.mark.parametrize("sender", [None, "", "Casa", "+393331234567"])
def test_a_sender_that_is_allowed_or_left_out_passes(
    house: House, sender: str | None
) -> None:
    check_sender(house.account("smsviainternet"), sender)


PNG = Picture(
    content=b"\x89PNG\r\n\x1a\n", filename="cortile.png", content_type="image/png"
)
BY_PUSH = {"channel": Channel.PUSH}


@pytest.mark.parametrize("key", PROVIDERS)
@pytest.mark.parametrize(
    ("wishes", "field", "feature"),
    [
        ({"channel": Channel.PUSH}, "channel", Feature.PUSH),
        ({"channel": Channel.PUSH_THEN_SMS}, "channel", Feature.PUSH),
        ({"groups": ("12",)}, "group", Feature.GROUPS),
        ({"mode": Mode.TEST}, "test", Feature.TEST_MODE),
        ({"reference": "vacanze"}, "transaction_id", Feature.CLIENT_REFERENCE),
    ],
)
async def test_what_the_provider_does_not_have_is_refused_by_its_name(
    house: House, key: str, wishes: dict[str, Any], field: str, feature: Feature
) -> None:
    account = await house.attach(key)
    provider = PROVIDERS[key]
    if feature in provider.capabilities.features:
        check_wishes(account, Wishes(**wishes))
        return
    refusal = await refused(house, account, **wishes)
    assert refusal.reason is Refusal.UNSUPPORTED
    assert refusal.placeholders == {"field": field, "provider": provider.name}


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"channel": Channel.SMS},
        {"mode": Mode.LIVE},
        {"send_at": 2e9},
        {"reference": ""},
    ],
)
def test_what_every_provider_can_do_is_never_refused(
    house: House, wishes: dict[str, Any]
) -> None:
    for key in PROVIDERS:
        check_wishes(house.account(key), Wishes(**wishes))


async def test_an_account_that_sends_by_push_where_there_is_none_is_refused(
    house: House,
) -> None:
    account = await house.attach("inviosmart", settings={"channel": "push"})
    refusal = await refused(house, account)
    assert refusal.placeholders["field"] == "channel"


async def test_a_picture_for_a_provider_that_has_none_is_refused(house: House) -> None:
    account = await house.attach("inviosmart")
    refusal = await refused(house, account, picture=PNG)
    assert refusal.reason is Refusal.UNSUPPORTED
    assert refusal.placeholders["field"] == "picture"


@pytest.mark.parametrize(
    ("settings", "wishes"),
    [({}, {}), ({"channel": "push"}, {"channel": Channel.SMS})],
)
async def test_a_picture_that_would_go_by_sms_is_refused(
    house: House, settings: dict[str, str], wishes: dict[str, Any]
) -> None:
    account = await house.attach("smshosting", settings=settings)
    refusal = await refused(house, account, picture=PNG, **wishes)
    assert refusal.reason is Refusal.PICTURE_NEEDS_PUSH


@pytest.mark.parametrize(
    ("settings", "wishes"),
    [
        ({}, BY_PUSH),
        ({}, {"channel": Channel.PUSH_THEN_SMS}),
        ({"channel": "push"}, {}),
    ],
)
def test_a_picture_that_goes_by_push_passes(
    house: House, settings: dict[str, str], wishes: dict[str, Any]
) -> None:
    account = house.account("smshosting", settings=settings)
    check_wishes(account, Wishes(picture=PNG, **wishes))


@pytest.mark.parametrize(
    "picture",
    [
        Picture(content=b"", filename="a.png", content_type="image/png"),
        Picture(content=b"%PDF-1.7", filename="a.png", content_type="image/png"),
        Picture(content=PNG.content, filename="a.jpg", content_type="image/jpeg"),
        Picture(
            content=PNG.content + bytes(2 * 1024 * 1024),
            filename="a.png",
            content_type="image/png",
        ),
    ],
    ids=["empty", "no picture", "of another type", "too big"],
)
async def test_a_picture_that_the_provider_would_not_take_is_refused(
    house: House, picture: Picture
) -> None:
    account = await house.attach("smshosting")
    refusal = await refused(house, account, picture=picture, **BY_PUSH)
    assert refusal.reason is Refusal.INVALID_PICTURE
    assert refusal.placeholders == {"types": "GIF, JPEG, PNG", "megabytes": "2"}


async def test_a_reference_longer_than_the_provider_takes_is_refused(
    house: House,
) -> None:
    account = await house.attach("smshosting")
    refusal = await refused(house, account, reference="x" * 61)
    assert refusal.placeholders["field"] == "transaction_id"
    check_wishes(account, Wishes(reference="x" * 60))


@pytest.mark.parametrize(
    ("limit", "committed", "wanted", "passes"),
    [
        (0, 10**9, 10**9, True),
        (10, 0, 10, True),
        (10, 4, 6, True),
        (10, 4, 7, False),
        (10, 10, 1, False),
        (10, 0, 11, False),
        (10, 12, 0, False),
    ],
)
def test_the_daily_limit_counts_what_was_spent_and_what_is_wanted(
    house: House,
    limit: int,
    committed: int,
    wanted: int,
    passes: bool,  # noqa: FBT001 - a column of the table
) -> None:
    account = house.account("smsviainternet", name="casa", daily_limit=limit)
    if passes:
        check_limit(account, committed, wanted)
        return
    with pytest.raises(OrderRefusedError) as caught:
        check_limit(account, committed, wanted)
    assert caught.value.reason is Refusal.DAILY_LIMIT
    assert caught.value.placeholders == {
        "limit": str(limit),
        "spent": str(committed),
        "parts": str(wanted),
        "account": "Casa",
    }


@pytest.mark.parametrize(
    ("target", "countries", "expected"),
    [
        (Target(number=PhoneNumber(NUMBER, "IT")), {"IT"}, None),
        (Target(number=PhoneNumber(LANDLINE, "IT")), {"IT"}, None),
        (FRENCH, {"IT"}, Refusal.COUNTRY_NOT_ALLOWED),
        (FRENCH, set(), Refusal.COUNTRY_NOT_ALLOWED),
        (FRENCH, {"IT", "FR"}, None),
        (Target(number=FRENCH.number, recipient="zia"), {"IT"}, None),
        (
            BadTarget(given="899123456", problem=NumberProblem.PREMIUM),
            {"IT"},
            Refusal.PREMIUM_NUMBER,
        ),
        (
            BadTarget(given="zia", problem=NumberProblem.INVALID),
            {"IT"},
            Refusal.INVALID_NUMBER,
        ),
    ],
)
def test_each_target_is_looked_at_for_itself(
    house: House,
    target: Target | BadTarget,
    countries: set[str],
    expected: Refusal | None,
) -> None:
    account = house.account("smsviainternet", allowed_countries=frozenset(countries))
    assert why_not_sent_to(account, target) is expected


async def test_an_order_with_no_target_is_refused(house: House) -> None:
    await house.attach("smsviainternet")
    with pytest.raises(OrderRefusedError, match=Refusal.NO_TARGETS):
        await house.messenger.send(
            Order(account="smsviainternet", targets=(), text=TEXT)
        )
    assert not house.simulator.requests


async def test_the_refusal_of_a_number_abroad_shows_its_end_and_the_country(
    house: House,
) -> None:
    account = await house.attach("smsviainternet")
    refusal = await refused(house, account, FRENCH)
    assert refusal.reason is Refusal.COUNTRY_NOT_ALLOWED
    assert refusal.placeholders == {"number": "***678", "country": "FR"}


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (NumberProblem.INVALID, Refusal.INVALID_NUMBER),
        (NumberProblem.PREMIUM, Refusal.PREMIUM_NUMBER),
    ],
)
async def test_the_refusal_of_what_is_no_number_names_what_was_given(
    house: House, problem: NumberProblem, reason: Refusal
) -> None:
    account = await house.attach("smsviainternet")
    refusal = await refused(house, account, BadTarget(given="8 99", problem=problem))
    assert refusal.reason is reason
    assert refusal.placeholders == {"number": "8 99"}


async def test_of_several_bad_targets_the_first_one_is_named(house: House) -> None:
    account = await house.attach("smsviainternet")
    bad = BadTarget(given="zia", problem=NumberProblem.INVALID)
    refusal = await refused(house, account, bad, FRENCH)
    assert refusal.placeholders == {"number": "zia"}


async def test_an_account_that_is_not_loaded_sends_nothing(house: House) -> None:
    await house.attach("smsviainternet")
    with pytest.raises(OrderRefusedError) as caught:
        await house.send("smshosting")
    assert caught.value.reason is Refusal.ACCOUNT_NOT_LOADED
    assert not house.simulator.requests


async def test_a_refusals_text_and_repr_show_neither_number_nor_text(
    house: House,
) -> None:
    account = await house.attach("smsviainternet")
    refusal = await refused(house, account, FRENCH)
    assert not re.search(r"\d", f"{refusal} {refusal!r}")
