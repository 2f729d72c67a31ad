"""The one exception tree of the provider clients.

No exception here ever carries a credential, a text, a number or a URL: `detail`
is a provider's error code, a field name or the class name of a network error.
"""

from typing import override

from .model import Cause, ErrorKind, NotSent, Uncertain


class ProviderError(Exception):
    """Anything that a provider client raises."""

    def __init__(self, detail: str | None = None) -> None:
        """Keep the detail, which must be safe to log."""
        super().__init__(detail)
        self.detail = detail


class NotAcceptedError(ProviderError):
    """The provider refused or never got the request: nothing was sent."""

    def __init__(
        self,
        kind: ErrorKind,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        cause: Cause | None = None,
    ) -> None:
        """Keep the kind, its cause and the wait (seconds) that was asked for."""
        super().__init__(detail)
        self.kind = kind
        self.retry_after = retry_after
        self.cause = cause

    @override
    def __str__(self) -> str:
        """Name the kind and the provider's code."""
        return f"{self.kind} ({self.detail})" if self.detail else str(self.kind)

    @property
    def outcome(self) -> NotSent:
        """This refusal as the outcome of a message."""
        return NotSent(
            kind=self.kind,
            detail=self.detail,
            retry_after=self.retry_after,
            cause=self.cause,
        )


class UnconfirmedAuthError(NotAcceptedError):
    """A status code alone blames the credentials; the provider's own words do not.

    Before anybody is asked for new ones, `ProviderClient.confirm` asks the login.
    """

    def __init__(self, detail: str) -> None:
        """Keep the detail; the kind is `auth`."""
        super().__init__(ErrorKind.AUTH, detail)


class OutcomeUnknownError(ProviderError):
    """The request left and no readable answer came: it may have been executed."""

    def __init__(
        self, detail: str | None = None, *, provider_id: str | None = None
    ) -> None:
        """Keep the ID that arrived in what could not be read."""
        super().__init__(detail)
        self.provider_id = provider_id

    @property
    def outcome(self) -> Uncertain:
        """This uncertainty as the outcome of a message."""
        return Uncertain(detail=self.detail or "unknown", provider_id=self.provider_id)
