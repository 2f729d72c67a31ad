"""Whether time or another account helps after a refusal."""

import pytest

from custom_components.sms_italia.messaging.delivery.retry_rules import (
    accounts_after,
    another_account_may_help,
    time_may_help,
)
from custom_components.sms_italia.providers import ErrorKind

# kind: may another account accept it, may the same one later
TABLE = {
    ErrorKind.AUTH: (True, False),
    ErrorKind.CREDIT: (True, False),
    ErrorKind.RECIPIENT: (False, False),
    ErrorKind.SENDER: (True, False),
    ErrorKind.TEXT: (False, False),
    ErrorKind.DUPLICATE: (True, False),
    ErrorKind.THROTTLED: (True, True),
    ErrorKind.UNAVAILABLE: (True, True),
    ErrorKind.REFUSED: (True, False),
    ErrorKind.CANCELLED: (False, False),
}


def test_every_kind_of_error_is_in_the_table() -> None:
    assert TABLE.keys() == set(ErrorKind)


@pytest.mark.parametrize("kind", ErrorKind)
def test_another_account_helps_unless_the_recipient_or_the_text_is_at_fault(
    kind: ErrorKind,
) -> None:
    assert another_account_may_help(kind) is TABLE[kind][0]


@pytest.mark.parametrize("kind", ErrorKind)
def test_time_helps_unless_the_message_or_the_account_is_at_fault(
    kind: ErrorKind,
) -> None:
    assert time_may_help(kind) is TABLE[kind][1]


@pytest.mark.parametrize(
    ("last_account", "expected"),
    [("a", ("b", "c")), ("b", ("c",)), ("c", ()), ("d", ()), (None, ())],
)
def test_after_the_account_that_got_it_come_the_next_ones_of_the_route(
    last_account: str | None, expected: tuple[str, ...]
) -> None:
    assert accounts_after(("a", "b", "c"), last_account) == expected
