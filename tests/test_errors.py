"""Whatever goes wrong with a message ends in a sentence that a person reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import re
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import (
    async_get_exception_message,
    async_get_translations,
)
from homeassistant.setup import async_setup_component
import pytest

from custom_components.sms_italia.const import (
    CONF_DAILY_LIMIT,
    CONF_FALLBACK,
    CONF_MAX_PARTS,
    CONF_RETRY_FOR,
    DOMAIN,
)
from custom_components.sms_italia.errors import (
    delivery_error,
    provider_error,
    provider_error_key,
    refusal_error,
)
from custom_components.sms_italia.messaging import (
    Dispatch,
    Message,
    Refusal,
    RequestRefusedError,
    Stage,
)
from custom_components.sms_italia.providers import (
    Cause,
    Encoding,
    ErrorKind,
    NotAcceptedError,
    OutcomeUnknownError,
    Status,
)
from simulator import Fault, Simulator

from .accounts import Accounts, arrived

ANNA = "+393331234567"

LANGUAGES = ("en", "it")

DISPATCH = Dispatch(
    id=1,
    account="one",
    text="Ciao",
    encoding=Encoding.GSM7,
    parts=1,
    created=0,
    due=0,
    expires=60,
    route=("one",),
)


def message(
    status: Status, error: ErrorKind | None = None, detail: str | None = None
) -> Message:
    """Return a message with this end."""
    return Message(
        id=2,
        dispatch=DISPATCH,
        number=ANNA,
        recipient=None,
        status=status,
        stage=Stage.CLOSED,
        updated=0,
        changed_at=0,
        parts=1,
        error=error,
        detail=detail,
    )


def casa_mia(_message: Message) -> str:
    """Return the name of the account that refused or took a message."""
    return "Casa mia"


async def sentences(hass: HomeAssistant, error: HomeAssistantError) -> dict[str, str]:
    """Return what an error says in each language; every placeholder must be filled."""
    assert error.translation_domain == DOMAIN
    said = {}
    for language in LANGUAGES:
        texts = await async_get_translations(hass, language, "exceptions", [DOMAIN])
        sentence = texts[
            f"component.{DOMAIN}.exceptions.{error.translation_key}.message"
        ].format(**(error.translation_placeholders or {}))
        assert not re.search(r"[{}]|None", sentence), sentence
        assert sentence.endswith(".")
        said[language] = sentence
    assert said["en"] != said["it"]
    return said


@pytest.fixture
async def hass_with_texts(hass: HomeAssistant) -> HomeAssistant:
    """Return Home Assistant with the integration's translations."""
    assert await async_setup_component(hass, DOMAIN, {})
    return hass


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("detail", [None, "CODE_7"])
async def test_every_reason_not_to_send_has_a_sentence(
    hass_with_texts: HomeAssistant, kind: ErrorKind, detail: str | None
) -> None:
    """In English and in Italian, with the account's name."""
    error = delivery_error([message(Status.FAILED, kind, detail)], casa_mia)

    assert type(error) is HomeAssistantError
    assert error.translation_key == f"not_sent_{kind}"
    for sentence in (await sentences(hass_with_texts, error)).values():
        # The user who cancelled it knows where.
        assert ("Casa mia" in sentence) is (kind is not ErrorKind.CANCELLED)
        assert ANNA not in sentence
    # What the log and the trace of an automation show.
    assert str(error) == async_get_exception_message(
        DOMAIN, error.translation_key, error.translation_placeholders
    )
    assert str(error) != error.translation_key


@pytest.mark.parametrize("status", [Status.FAILED, Status.EXPIRED])
async def test_of_many_failures_the_first_is_shown(
    hass_with_texts: HomeAssistant, status: Status
) -> None:
    """The others can be read in the answer and the entities."""
    error = delivery_error(
        [
            message(status, ErrorKind.CREDIT, "BAD_CREDIT"),
            message(status, ErrorKind.RECIPIENT),
        ],
        casa_mia,
    )

    assert error is not None
    assert error.translation_key == "not_sent_credit"
    assert await sentences(hass_with_texts, error)


async def test_a_doubt_comes_before_a_failure(hass_with_texts: HomeAssistant) -> None:
    """A user who repeats the action must know that it may arrive twice."""
    error = delivery_error(
        [
            message(Status.FAILED, ErrorKind.RECIPIENT),
            message(Status.UNCERTAIN, detail="http_500"),
        ],
        casa_mia,
    )

    assert type(error) is HomeAssistantError
    assert error.translation_key == "outcome_uncertain"
    for sentence in (await sentences(hass_with_texts, error)).values():
        assert "http_500" in sentence


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENT, Status.DELIVERED])
def test_an_accepted_message_is_no_error(status: Status) -> None:
    """Also when other messages of the same order failed."""
    failed = message(Status.FAILED, ErrorKind.RECIPIENT)

    assert delivery_error([failed, message(status)], casa_mia) is None


@pytest.mark.parametrize("cause", Cause)
async def test_every_cause_that_says_more_than_its_kind_has_its_own_sentence(
    hass_with_texts: HomeAssistant, cause: Cause
) -> None:
    """What to do about a Push plan is not what to do about a refusal."""
    failed = message(Status.FAILED, ErrorKind.REFUSED, cause)

    error = delivery_error([failed], casa_mia)

    assert error is not None
    assert error.translation_key == f"not_sent_{cause}"
    for sentence in (await sentences(hass_with_texts, error)).values():
        assert "Casa mia" in sentence


async def test_an_account_that_is_gone_is_not_named(
    hass_with_texts: HomeAssistant,
) -> None:
    """Its removal may come before the answer of its last message."""
    failed = message(Status.FAILED, ErrorKind.CREDIT)

    error = delivery_error([failed], lambda _: None)

    assert error is not None
    assert await sentences(hass_with_texts, error)


async def test_the_account_that_refused_first_is_named(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It is the first account that refused, whatever the fallback says."""
    for key in ("smshosting", "transactionale"):
        simulator.account(key).blocked.add(ANNA)
    spare = await accounts.set_up("smshosting", title="Riserva")
    await accounts.set_up(
        "transactionale", title="Casa mia", options={CONF_FALLBACK: [spare.entry_id]}
    )

    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(
            "notify", "casa_mia", {"message": "Ciao", "target": [ANNA]}, blocking=True
        )

    assert caught.value.translation_key == "not_sent_recipient"
    for sentence in (await sentences(hass, caught.value)).values():
        assert "Casa mia" in sentence
        assert "Riserva" not in sentence


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (NotAcceptedError(ErrorKind.AUTH), "provider_auth"),
        (NotAcceptedError(ErrorKind.UNAVAILABLE), "provider_unavailable"),
        (NotAcceptedError(ErrorKind.THROTTLED), "provider_throttled"),
        (NotAcceptedError(ErrorKind.REFUSED), "provider_refused"),
        (
            NotAcceptedError(ErrorKind.REFUSED, cause=Cause.NO_PUSH_PLAN),
            "provider_no_push_plan",
        ),
        (NotAcceptedError(ErrorKind.CREDIT), "provider_refused"),
        (OutcomeUnknownError("http_500"), "provider_unclear"),
    ],
)
async def test_every_silence_of_a_provider_has_a_sentence(
    hass_with_texts: HomeAssistant,
    error: NotAcceptedError | OutcomeUnknownError,
    key: str,
) -> None:
    """For the log and for the entry's page."""
    shown = provider_error("Casa mia", error)

    assert shown.translation_key == provider_error_key(error) == key
    for sentence in (await sentences(hass_with_texts, shown)).values():
        assert "Casa mia" in sentence


REFUSED: Mapping[Refusal, tuple[dict[str, Any], dict[str, Any], str]] = {
    Refusal.NO_TARGETS: ({}, {"numbers": []}, ""),
    Refusal.TOO_MANY_NUMBERS: ({}, {"numbers": [ANNA] * 50_001}, "50000"),
    Refusal.EMPTY_TEXT: ({}, {"message": "  \n "}, ""),
    Refusal.TOO_MANY_PARTS: ({CONF_MAX_PARTS: 1}, {"message": "x" * 161}, "2"),
    Refusal.MORE_THAN_PROVIDER_TAKES: ({}, {"message": "x" * 2_000}, "Smshosting"),
    Refusal.INVALID_SENDER: ({}, {"sender": "!!!"}, "!!!"),
    Refusal.SENDER_CHARACTERS: ({}, {"sender": "Casa ☎"}, "☎"),
    Refusal.INVALID_NUMBER: ({}, {"numbers": ["Nessuno"]}, "Nessuno"),
    Refusal.LOST_PLUS: ({}, {"numbers": ["41791234567"]}, "***567"),
    Refusal.PREMIUM_NUMBER: ({}, {"numbers": ["899 123456"]}, "***456"),
    Refusal.COUNTRY_NOT_ALLOWED: ({}, {"numbers": ["+41791234567"]}, "CH"),
    Refusal.DAILY_LIMIT: ({CONF_DAILY_LIMIT: 1}, {"message": "x" * 161}, "1"),
}
"""How each refusal comes about: options, data of the call, what the error shows."""


@pytest.mark.parametrize("refusal", REFUSED)
async def test_a_refusal_says_what_to_do(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, refusal: Refusal
) -> None:
    """It is a mistake in the call, except where only a limit stands in the way."""
    options, call, shown = REFUSED[refusal]
    await accounts.set_up("smshosting", title="Casa mia", options=options)

    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(
            DOMAIN,
            "send_sms",
            {"message": "Ciao", "numbers": [ANNA], **call},
            blocking=True,
        )

    is_mistake = refusal is not Refusal.DAILY_LIMIT
    assert isinstance(caught.value, ServiceValidationError) is is_mistake
    assert caught.value.translation_key == refusal
    for sentence in (await sentences(hass, caught.value)).values():
        assert shown in sentence
    assert arrived(simulator) == []


async def test_several_numbers_in_one_text_are_refused_with_how_to_separate_them(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Spaces stand within a number too."""
    await accounts.set_up("smshosting")
    call = {"message": "Ciao", "numbers": "3331234567 3337654321"}

    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call(DOMAIN, "send_sms", call, blocking=True)

    said = await sentences(hass, caught.value)
    assert "commas" in said["en"]
    assert "virgole" in said["it"]


ELSEWHERE: Mapping[Refusal, dict[str, str]] = {
    Refusal.ACCOUNT_NOT_LOADED: {},
    Refusal.GROUP_SIZE_UNKNOWN: {"group": "7", "account": "Casa mia"},
    Refusal.UNSUPPORTED: {"field": "picture", "provider": "Transactionale"},
    Refusal.PICTURE_NEEDS_PUSH: {},
    Refusal.INVALID_PICTURE: {"types": "JPEG, PNG", "megabytes": "2"},
    Refusal.UNKNOWN_MESSAGE: {"message_id": "00a1"},
    Refusal.BEING_RESENT: {},
    Refusal.NOT_TO_RESEND: {},
    Refusal.TOO_LATE_TO_CANCEL: {},
    Refusal.CANNOT_CANCEL: {},
}
"""What the refusals show that come about in the tests of single actions."""


@pytest.mark.parametrize("refusal", ELSEWHERE)
async def test_every_other_refusal_has_a_sentence_with_what_it_is_about(
    hass_with_texts: HomeAssistant, refusal: Refusal
) -> None:
    """Only what may be accepted another time is no mistake in the call."""
    placeholders = ELSEWHERE[refusal]

    error = refusal_error(RequestRefusedError(refusal, placeholders))

    passing = {Refusal.ACCOUNT_NOT_LOADED, Refusal.GROUP_SIZE_UNKNOWN}
    is_mistake = refusal not in passing
    assert isinstance(error, ServiceValidationError) is is_mistake
    for sentence in (await sentences(hass_with_texts, error)).values():
        assert all(value in sentence for value in placeholders.values())


def test_every_refusal_is_in_one_of_the_tables() -> None:
    """A new one must have its sentence."""
    assert REFUSED.keys() | ELSEWHERE.keys() == set(Refusal)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """An objection of a provider to a message, and what the error shows."""

    provider: str
    cause: Callable[[Simulator], object]
    key: str


def refused_secret(provider: str, name: str) -> Trouble:
    """Let the provider know another secret than we do."""
    return Trouble(
        provider=provider,
        cause=lambda simulator: simulator.set_credentials(provider, **{name: "other"}),
        key="not_sent_auth",
    )


def no_credit(provider: str) -> Trouble:
    """Let the account be empty."""
    return Trouble(
        provider=provider,
        cause=lambda simulator: simulator.set_credit(provider, 0),
        key="not_sent_credit",
    )


def blocked_number(provider: str) -> Trouble:
    """Let the provider not want the number."""
    return Trouble(
        provider=provider,
        cause=lambda simulator: simulator.account(provider).blocked.add(ANNA),
        key="not_sent_recipient",
    )


def broken(provider: str, fault: Fault, key: str) -> Trouble:
    """Let something break on the way."""
    return Trouble(
        provider=provider,
        cause=lambda simulator: simulator.inject(provider, fault, operation="send"),
        key=key,
    )


@pytest.mark.parametrize(
    "trouble",
    [
        refused_secret("smshosting", "auth_secret"),
        refused_secret("smsviainternet", "api_token"),
        no_credit("transactionale"),
        no_credit("inviosmart"),
        blocked_number("inviosmart"),
        blocked_number("smsviainternet"),
        broken("smshosting", Fault.THROTTLED, "not_sent_throttled"),
        broken("transactionale", Fault.CUT_AFTER_ACCEPT, "outcome_uncertain"),
        broken("inviosmart", Fault.HTML, "outcome_uncertain"),
        broken("smsviainternet", Fault.SERVER_ERROR_EMPTY, "outcome_uncertain"),
    ],
    ids=lambda trouble: f"{trouble.provider}-{trouble.key}",
)
async def test_what_a_provider_says_reaches_the_person(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, trouble: Trouble
) -> None:
    """All the way from the wire, where nothing is tried again."""
    await accounts.set_up(
        trouble.provider, title="Casa mia", options={CONF_RETRY_FOR: 0}
    )
    trouble.cause(simulator)

    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(
            "notify", "casa_mia", {"message": "Ciao", "target": [ANNA]}, blocking=True
        )

    assert not isinstance(caught.value, ServiceValidationError)
    assert caught.value.translation_key == trouble.key
    for sentence in (await sentences(hass, caught.value)).values():
        assert "Casa mia" in sentence
