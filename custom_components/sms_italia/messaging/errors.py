"""Why a request to send, estimate or cancel is refused before any provider is asked."""

from collections.abc import Mapping
from enum import StrEnum


class Refusal(StrEnum):
    """What is wrong with a request; each has a sentence in the translations."""

    NO_TARGETS = "no_targets"
    EMPTY_TEXT = "empty_text"
    TOO_MANY_PARTS = "too_many_parts"
    """More than the account's options allow."""
    MORE_THAN_PROVIDER_TAKES = "more_than_provider_takes"
    """More parts than the provider takes, whatever the options say."""
    TOO_MANY_NUMBERS = "too_many_numbers"
    INVALID_SENDER = "invalid_sender"
    SENDER_CHARACTERS = "sender_characters"
    """The provider does not take the `characters` in a name."""
    INVALID_NUMBER = "invalid_number"
    PREMIUM_NUMBER = "premium_number"
    LOST_PLUS = "lost_plus"
    """It is a number of another country without its plus."""
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    DAILY_LIMIT = "daily_limit"
    GROUP_SIZE_UNKNOWN = "group_size_unknown"
    """The provider does not say how many numbers `group` has, and a limit is set."""
    ACCOUNT_NOT_LOADED = "account_not_loaded"
    UNSUPPORTED = "unsupported"
    """The provider has no such thing: `field` (of `send_sms`) and `provider`."""
    PICTURE_NEEDS_PUSH = "picture_needs_push"
    """The account can send it, but by Push alone."""
    INVALID_PICTURE = "invalid_picture"
    """The provider does not accept it: `types` and `megabytes` say what it accepts."""
    UNKNOWN_MESSAGE = "unknown_message"
    """There is no message with the ID `message_id`."""
    BEING_RESENT = "being_resent"
    """It is on its way again; it is not sent a third time."""
    TOO_LATE_TO_CANCEL = "too_late_to_cancel"
    CANNOT_CANCEL = "cannot_cancel"
    """The provider has it and cannot stop it."""
    NOT_TO_RESEND = "not_to_resend"
    """It waits or was sent, so that it would arrive twice."""


class RequestRefusedError(Exception):
    """Nothing was sent; `placeholders` fill the sentence of the reason."""

    def __init__(
        self, reason: Refusal, placeholders: Mapping[str, str] | None = None
    ) -> None:
        """Keep the reason; the placeholders may name what the caller gave."""
        super().__init__(reason.value)
        self.reason = reason
        self.placeholders = placeholders or {}
