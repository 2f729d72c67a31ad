"""What may cure a refusal: the retry rule of the providers' errors."""

import pytest

from custom_components.sms_italia.messaging.routing import (
    accounts_after,
    another_account_may_cure,
    time_may_cure,
)
from custom_components.sms_italia.providers.model import ErrorKind

# kind: may another account take it, may the same one take it later
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
def test_another_account_cures_all_but_the_recipients_and_the_texts_own_faults(
    kind: ErrorKind,
) -> None:
    assert another_account_may_cure(kind) is TABLE[kind][0]


@pytest.mark.parametrize("kind", ErrorKind)
def test_time_cures_what_is_no_fault_of_the_message_or_the_account(
    kind: ErrorKind,
) -> None:
    assert time_may_cure(kind) is TABLE[kind][1]


@pytest.mark.parametrize(
    ("carrier", "expected"),
    [("a", ("b", "c")), ("b", ("c",)), ("c", ()), ("d", ()), (None, ())],
)
def test_after_the_account_that_took_it_come_the_next_ones_of_the_route(
    carrier: str | None, expected: tuple[str, ...]
) -> None:
    assert accounts_after(("a", "b", "c"), carrier) == expected
