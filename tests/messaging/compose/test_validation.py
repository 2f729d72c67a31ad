"""What is refused before any request, and what the refusal says."""

import re
from typing import Any

import pytest

from custom_components.sms_italia.messaging import (
    Account,
    BadTarget,
    NumberProblem,
    PhoneNumber,
    Refusal,
    RequestRefusedError,
    SendOptions,
    Target,
    TextEncoding,
)
from custom_components.sms_italia.messaging.compose.text import prepare_text
from custom_components.sms_italia.messaging.compose.validation import (
    check_limit,
    check_options,
    check_sender,
    check_text,
    sort_targets,
)
from custom_components.sms_italia.providers import Channel, Mode, Picture

from ..fake import LANDLINE, MANY, PLAIN, PRESETS, REFERENCE
from ..helpers import NUMBER, Harness, a_request

FRENCH = Target(number=PhoneNumber("+33612345678", "FR"))


async def refused(
    harness: Harness,
    account: Account,
    *to: Target | BadTarget,
    **order: Any,  # noqa: ANN401 - fields of an order
) -> RequestRefusedError:
    """Return the refusal of a send that reaches no provider and no ledger."""
    with pytest.raises(RequestRefusedError) as caught:
        await harness.send(account.id, *to, **order)
    assert not harness.calls
    assert not await harness.found()
    return caught.value


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u200b"])
async def test_a_text_of_nothing_visible_is_refused(
    harness: Harness, text: str
) -> None:
    account = await harness.attach(MANY)
    refusal = await refused(harness, account, text=text)
    assert refusal.reason is Refusal.EMPTY_TEXT


async def test_a_text_of_more_parts_than_the_provider_takes_is_refused(
    harness: Harness,
) -> None:
    account = await harness.attach(MANY)
    most = account.provider.capabilities.max_parts
    refusal = await refused(harness, account, text="x" * (153 * most + 1))
    assert refusal.reason is Refusal.MORE_THAN_PROVIDER_TAKES
    assert refusal.placeholders == {
        "parts": str(most + 1),
        "max_parts": str(most),
        "provider": account.provider.name,
    }


async def test_a_text_of_more_parts_than_the_user_allows_is_refused(
    harness: Harness,
) -> None:
    account = await harness.attach(MANY, max_parts=2)
    refusal = await refused(harness, account, text="x" * (153 * 2 + 1))
    assert refusal.reason is Refusal.TOO_MANY_PARTS
    assert refusal.placeholders == {"parts": "3", "max_parts": "2"}


async def test_a_text_of_as_many_parts_as_allowed_is_sent(harness: Harness) -> None:
    await harness.attach(MANY, max_parts=2)
    message = await harness.one(MANY, text="x" * (153 * 2))
    assert message.parts == 2
    assert len(harness.accepted(MANY)) == 1


def test_the_users_limit_of_parts_does_not_widen_the_providers(
    harness: Harness,
) -> None:
    account = harness.account(PLAIN, max_parts=99)
    most = account.provider.capabilities.max_parts
    text = prepare_text("x" * (153 * most + 1), TextEncoding.SMART)
    with pytest.raises(RequestRefusedError) as caught:
        check_text(account, text)
    assert caught.value.placeholders["max_parts"] == str(most)


async def test_a_sender_that_the_provider_refuses_is_named(harness: Harness) -> None:
    account = await harness.attach(MANY)
    refusal = await refused(harness, account, sender="Troppo lungo così")
    assert refusal.reason is Refusal.INVALID_SENDER
    assert refusal.placeholders == {"sender": "Troppo lungo così"}


async def test_the_characters_that_the_provider_refuses_are_named(
    harness: Harness,
) -> None:
    account = await harness.attach(PLAIN)
    refusal = await refused(harness, account, sender="Città è")
    assert refusal.reason is Refusal.SENDER_CHARACTERS
    assert refusal.placeholders["characters"] == "à è"
    assert refusal.placeholders["sender"] == "Città è"


@pytest.mark.parametrize("sender", [None, "", "Casa", "+393331234567"])
def test_a_sender_that_is_allowed_or_left_out_passes(
    harness: Harness, sender: str | None
) -> None:
    check_sender(harness.account(MANY), sender)


PNG = Picture(
    content=b"\x89PNG\r\n\x1a\n", filename="cortile.png", content_type="image/png"
)
BY_PUSH = {"channel": Channel.PUSH}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"channel": Channel.PUSH}, "channel"),
        ({"channel": Channel.PUSH_THEN_SMS}, "channel"),
        ({"groups": ("12",)}, "group"),
        ({"mode": Mode.TEST}, "test"),
        ({"reference": "vacanze"}, "transaction_id"),
    ],
)
async def test_what_the_provider_does_not_have_is_refused_by_its_name(
    harness: Harness, options: dict[str, Any], field: str
) -> None:
    check_options(harness.account(REFERENCE), SendOptions(**options))
    account = await harness.attach(PLAIN)
    refusal = await refused(harness, account, **options)
    assert refusal.reason is Refusal.UNSUPPORTED
    assert refusal.placeholders == {"field": field, "provider": "Plain"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"channel": Channel.SMS},
        {"mode": Mode.LIVE},
        {"send_at": 2e9},
        {"reference": ""},
    ],
)
def test_what_every_provider_can_do_is_never_refused(
    harness: Harness, options: dict[str, Any]
) -> None:
    for key in PRESETS:
        check_options(harness.account(key), SendOptions(**options))


async def test_an_account_that_sends_by_push_where_there_is_none_is_refused(
    harness: Harness,
) -> None:
    account = await harness.attach(PLAIN, channel=Channel.PUSH)
    refusal = await refused(harness, account)
    assert refusal.placeholders["field"] == "channel"


async def test_a_picture_for_a_provider_that_has_none_is_refused(
    harness: Harness,
) -> None:
    account = await harness.attach(PLAIN)
    refusal = await refused(harness, account, picture=PNG)
    assert refusal.reason is Refusal.UNSUPPORTED
    assert refusal.placeholders["field"] == "picture"


@pytest.mark.parametrize(
    ("channel", "options"),
    [(Channel.SMS, {}), (Channel.PUSH, {"channel": Channel.SMS})],
)
async def test_a_picture_that_would_go_by_sms_is_refused(
    harness: Harness, channel: Channel, options: dict[str, Any]
) -> None:
    account = await harness.attach(REFERENCE, channel=channel)
    refusal = await refused(harness, account, picture=PNG, **options)
    assert refusal.reason is Refusal.PICTURE_NEEDS_PUSH


@pytest.mark.parametrize(
    ("channel", "options"),
    [
        (Channel.SMS, BY_PUSH),
        (Channel.SMS, {"channel": Channel.PUSH_THEN_SMS}),
        (Channel.PUSH, {}),
    ],
)
def test_a_picture_that_goes_by_push_passes(
    harness: Harness, channel: Channel, options: dict[str, Any]
) -> None:
    account = harness.account(REFERENCE, channel=channel)
    check_options(account, SendOptions(picture=PNG, **options))


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
    harness: Harness, picture: Picture
) -> None:
    account = await harness.attach(REFERENCE)
    refusal = await refused(harness, account, picture=picture, **BY_PUSH)
    assert refusal.reason is Refusal.INVALID_PICTURE
    assert refusal.placeholders == {"types": "GIF, JPEG, PNG", "megabytes": "2"}


async def test_a_reference_longer_than_the_provider_takes_is_refused(
    harness: Harness,
) -> None:
    account = await harness.attach(REFERENCE)
    refusal = await refused(harness, account, reference="x" * 61)
    assert refusal.placeholders["field"] == "transaction_id"
    check_options(account, SendOptions(reference="x" * 60))


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
    harness: Harness,
    limit: int,
    committed: int,
    wanted: int,
    passes: bool,  # noqa: FBT001 - a column of the table
) -> None:
    account = harness.account(MANY, name="casa", daily_limit=limit)
    if passes:
        check_limit(account, committed, wanted)
        return
    with pytest.raises(RequestRefusedError) as caught:
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
    harness: Harness,
    target: Target | BadTarget,
    countries: set[str],
    expected: Refusal | None,
) -> None:
    account = harness.account(MANY, allowed_countries=frozenset(countries))
    good = Target(number=PhoneNumber("+393330000000", "IT"), recipient="zio")
    taken, refused = sort_targets(account, [good, target], ())
    assert taken == ([good] if expected else [good, target])
    assert refused == ([(target, expected)] if expected else [])


@pytest.mark.parametrize("is_first", [True, False])
def test_a_number_belongs_to_the_recipient_that_the_call_has(
    harness: Harness,
    is_first: bool,  # noqa: FBT001 - a case
) -> None:
    """And not to the first with the number, which is taken where none is given."""
    number = PhoneNumber("+393330000000", "IT")
    bare = Target(number=number, recipient="zio", shared_with=frozenset({"zia"}))
    given = Target(number=number, recipient="zia")
    targets = [bare, given] if is_first else [given, bare]
    account = harness.account(MANY)

    assert sort_targets(account, targets, ()) == ([given], [])
    assert sort_targets(account, [bare, bare], ()) == ([bare], [])


async def test_a_request_with_no_target_is_refused(harness: Harness) -> None:
    await harness.attach(MANY)
    with pytest.raises(RequestRefusedError, match=Refusal.NO_TARGETS):
        await harness.messenger.send(a_request(MANY))
    assert not harness.calls


async def test_the_refusal_of_a_number_abroad_shows_its_end_and_the_country(
    harness: Harness,
) -> None:
    account = await harness.attach(MANY)
    refusal = await refused(harness, account, FRENCH)
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
    harness: Harness, problem: NumberProblem, reason: Refusal
) -> None:
    account = await harness.attach(MANY)
    refusal = await refused(harness, account, BadTarget(given="Zia 2", problem=problem))
    assert refusal.reason is reason
    assert refusal.placeholders == {"number": "Zia ***"}


async def test_bad_targets_are_named_by_their_places_and_last_digits(
    harness: Harness,
) -> None:
    """Those that are refused for the first one's reason."""
    account = await harness.attach(MANY)
    bad = [
        BadTarget(given=given, problem=NumberProblem.INVALID)
        for given in ("zia", "33312345678", "33312345678", "33399999678")
    ]
    refusal = await refused(harness, account, bad[0], FRENCH, *bad[1:])
    assert refusal.placeholders == {"number": "1. zia, 3. ***678, 5. ***678"}


async def test_an_account_that_is_not_loaded_sends_nothing(harness: Harness) -> None:
    await harness.attach(MANY)
    with pytest.raises(RequestRefusedError) as caught:
        await harness.send(REFERENCE)
    assert caught.value.reason is Refusal.ACCOUNT_NOT_LOADED
    assert not harness.calls


async def test_a_refusals_text_and_repr_show_neither_number_nor_text(
    harness: Harness,
) -> None:
    account = await harness.attach(MANY)
    refusal = await refused(harness, account, FRENCH)
    assert not re.search(r"\d", f"{refusal} {refusal!r}")
