"""The one place where what went wrong becomes an error that a person reads."""

from collections.abc import Callable, Sequence

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .messaging.errors import OrderRefusedError, Refusal
from .messaging.model import Message, Stage
from .providers.errors import NotAcceptedError, ProviderError
from .providers.model import Cause, ErrorKind, Status


def order_error(err: OrderRefusedError) -> HomeAssistantError:
    """Return the error of an order that was refused before any request."""
    if err.reason in {Refusal.DAILY_LIMIT, Refusal.ACCOUNT_NOT_LOADED}:
        # Nothing is wrong with what was asked for.
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
    """Return the error of an order of which nothing was taken, None if some was.

    `account_of` returns the name of the account that took a message or refused it,
    which may be a fallback of the one that was asked; None if it is gone.
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
        # What the kind alone does not tell stands in the detail.
        reason = first.detail if first.detail in set(Cause) else first.error
        # Taken and then reported as failed, it has no error of its own.
        reason = reason or ErrorKind.REFUSED
        key = f"not_sent_{reason}"
    elif first.stage is Stage.DOUBTFUL:
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

    `account` is the name of the account that asked.
    """
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=provider_error_key(err),
        translation_placeholders={"account": account},
    )


def provider_error_key(err: ProviderError) -> str:
    """Return the translation key of why a provider did not answer a question."""
    match err:
        case NotAcceptedError(kind=ErrorKind.AUTH):
            return "provider_auth"
        case NotAcceptedError(kind=ErrorKind.UNAVAILABLE):
            return "provider_unavailable"
        case NotAcceptedError(kind=ErrorKind.THROTTLED):
            return "provider_throttled"
        case NotAcceptedError(cause=Cause.NO_PUSH_PLAN):
            return "provider_no_push_plan"
        case NotAcceptedError():
            return "provider_refused"
        case _:
            return "provider_unclear"
