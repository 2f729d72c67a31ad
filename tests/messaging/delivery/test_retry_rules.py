"""When the same account is asked again after a refusal, and which come after it."""

import pytest

from custom_components.sms_italia.messaging.delivery.retry_rules import (
    Again,
    accounts_after,
    same_account_again,
)
from custom_components.sms_italia.providers import ErrorKind

TABLE = {
    ErrorKind.AUTH: Again.SIGNED_IN,
    ErrorKind.CREDIT: Again.AFTER_A_PAUSE,
    ErrorKind.RECIPIENT: Again.NEVER,
    ErrorKind.SENDER: Again.NEVER,
    ErrorKind.TEXT: Again.NEVER,
    ErrorKind.DUPLICATE: Again.NEVER,
    ErrorKind.THROTTLED: Again.WAIT_OVER,
    ErrorKind.UNAVAILABLE: Again.REACHED,
    ErrorKind.REFUSED: Again.NEVER,
    ErrorKind.CANCELLED: Again.NEVER,
}


def test_every_kind_of_error_is_in_the_table() -> None:
    assert TABLE.keys() == set(ErrorKind)


@pytest.mark.parametrize("kind", ErrorKind)
def test_an_account_is_asked_again_unless_the_message_is_at_fault(
    kind: ErrorKind,
) -> None:
    assert same_account_again(kind) is TABLE[kind]


@pytest.mark.parametrize(
    ("last_account", "expected"),
    [("a", ("b", "c")), ("b", ("c",)), ("c", ()), ("d", ()), (None, ())],
)
def test_after_the_account_that_got_it_come_the_next_ones_of_the_route(
    last_account: str | None, expected: tuple[str, ...]
) -> None:
    assert accounts_after(("a", "b", "c"), last_account) == expected
