"""What the simulated providers accept as a number and as a sender.

The providers publish no exact rule for numbers, so one strict rule serves all: an
Italian number must be a mobile (3 and 8 or 9 more digits), a foreign one 8 to 15
digits with its country code.
"""

import re

_ITALIAN_MOBILE = re.compile(r"393[0-9]{8,9}")
_FOREIGN = re.compile(r"(?!39)[1-9][0-9]{7,14}")
_DIGITS = re.compile(r"[0-9]+")
_NUMERIC_SENDER = re.compile(r"\+?[0-9]{3,16}")
_ALIAS = re.compile(r"[\w .,'&!#%()<>-]{1,11}")


def e164(digits: str) -> str | None:
    """Return "+" and the digits if they are a number with country code, else None."""
    if _ITALIAN_MOBILE.fullmatch(digits) or _FOREIGN.fullmatch(digits):
        return f"+{digits}"
    return None


def is_digits(value: str) -> bool:
    """Return whether the value has only ASCII digits, and at least one."""
    return _DIGITS.fullmatch(value) is not None


def is_sender(sender: str) -> bool:
    """Return whether it is a numeric sender or an alias.

    The rules: docs/development/provider-apis/common.md 8.
    """
    if _NUMERIC_SENDER.fullmatch(sender):
        return True
    return is_alias(sender) and _ALIAS.fullmatch(sender) is not None


def is_alias(sender: str) -> bool:
    """Return whether the sender has a letter, so that it is not a phone number."""
    return any(char.isalpha() for char in sender)
