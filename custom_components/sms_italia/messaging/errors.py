"""Why an order is refused before any request is made."""

from collections.abc import Mapping
from enum import StrEnum


class Refusal(StrEnum):
    """What is wrong with an order; each has a sentence in the translations."""

    NO_TARGETS = "no_targets"
    EMPTY_TEXT = "empty_text"
    TOO_MANY_PARTS = "too_many_parts"
    INVALID_SENDER = "invalid_sender"
    INVALID_NUMBER = "invalid_number"
    PREMIUM_NUMBER = "premium_number"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    DAILY_LIMIT = "daily_limit"
    ACCOUNT_NOT_LOADED = "account_not_loaded"
    UNSUPPORTED = "unsupported"
    """The provider has no such thing: `field` (design.md, 8) and `provider`."""
    PICTURE_NEEDS_PUSH = "picture_needs_push"
    """The account can send it, but by Push alone."""
    INVALID_PICTURE = "invalid_picture"
    """The provider would not take it: `types` and `megabytes` say which it takes."""
    UNKNOWN_MESSAGE = "unknown_message"
    """There is no message with the id `message_id`."""
    TOO_LATE_TO_CANCEL = "too_late_to_cancel"
    CANNOT_CANCEL = "cannot_cancel"
    """The provider has it and cannot stop it."""


class OrderRefusedError(Exception):
    """Nothing of the order was sent; `placeholders` fill the reason's sentence."""

    def __init__(
        self, reason: Refusal, placeholders: Mapping[str, str] | None = None
    ) -> None:
        """Keep the reason; the placeholders may name what the caller gave."""
        super().__init__(reason.value)
        self.reason = reason
        self.placeholders = placeholders or {}
