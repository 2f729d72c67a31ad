"""The errors that a person reads, made of the errors of the layers below."""

from collections.abc import Callable, Sequence

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .messaging import Message, Refusal, RequestRefusedError, Stage
from .providers import Cause, ErrorKind, NotAcceptedError, ProviderError, Status

_NOT_OF_THE_INPUT = frozenset(
    {Refusal.DAILY_LIMIT, Refusal.GROUP_SIZE_UNKNOWN, Refusal.ACCOUNT_NOT_LOADED}
)
"""Refusals after which the same call may be accepted another time."""


def refusal_error(err: RequestRefusedError) -> HomeAssistantError:
    """Return the error of a call that was refused before any request was sent."""
    if err.reason in _NOT_OF_THE_INPUT:
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=err.reason,
            translation_placeholders=dict(err.placeholders),
        )
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=err.reason,
        translation_placeholders=dict(err.placeholders),
    )


def delivery_error(
    messages: Sequence[Message], account_of: Callable[[Message], str | None]
) -> HomeAssistantError | None:
    """Return the error if no message was accepted or queued, None if one was.

    `account_of` returns the title of the account that took or refused a message, which
    may be a fallback account; None if it was removed.
    """
    for message in messages:
        match message.status:
            case Status.QUEUED | Status.SENT | Status.DELIVERED:
                return None
            case Status.FAILED | Status.EXPIRED | Status.UNCERTAIN:
                pass
    in_doubt = [one for one in messages if one.status is Status.UNCERTAIN]
    first = (in_doubt or list(messages))[0]
    if not in_doubt:
        # A cause that has a sentence of its own is in the detail.
        reason = first.detail if first.detail in set(Cause) else first.error
        # A message that was accepted and later reported as failed has no error.
        reason = reason or ErrorKind.REFUSED
        key = f"not_sent_{reason}"
    elif first.stage is Stage.IN_DOUBT:
        key = "outcome_being_settled"
    else:
        key = "outcome_uncertain"
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            "account": account_of(first) or "-",
            "detail": first.detail or "-",
        },
    )


def provider_error(account: str, err: ProviderError) -> HomeAssistantError:
    """Return the error of a question that a provider did not answer.

    `account` is the title of the account that asked.
    """
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=provider_error_key(err),
        translation_placeholders={"account": account},
    )


def history_error() -> HomeAssistantError:
    """Return the error of a ledger that cannot be read."""
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key="history_unreadable"
    )


def defect_error() -> HomeAssistantError:
    """Return the error of a call that ended with a defect of ours."""
    return HomeAssistantError(translation_domain=DOMAIN, translation_key="defect")


def provider_error_key(err: ProviderError) -> str:
    """Return the translation key of why a provider did not answer a question."""
    if not isinstance(err, NotAcceptedError):
        return "provider_unclear"
    if err.cause in {Cause.HTTPS_REQUIRED, Cause.NO_PUSH_PLAN}:
        return f"provider_{err.cause}"
    if err.kind in {ErrorKind.AUTH, ErrorKind.UNAVAILABLE, ErrorKind.THROTTLED}:
        return f"provider_{err.kind}"
    return "provider_refused"
