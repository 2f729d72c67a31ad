"""The memory of the simulator is bounded."""

from datetime import timedelta
from decimal import Decimal

import pytest

from simulator import Account, Message, Operation, store as store_module
from simulator.exchange import Answer, Call, Upload
from simulator.store import Store


def new_account() -> Account:
    """Return an account that can pay."""
    return Account(credentials={}, credit=Decimal(1), price=Decimal("0.01"))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store with small limits."""
    monkeypatch.setattr(store_module, "MAX_MESSAGES", 3)
    monkeypatch.setattr(store_module, "MAX_REQUESTS", 3)
    monkeypatch.setattr(store_module, "MAX_REQUEST_BYTES", 100)
    monkeypatch.setattr(store_module, "MAX_PICTURES", 1)
    return Store({"smshosting": new_account})


def accept(store: Store, to: str, reference: str) -> Message:
    """Accept one message."""
    return store.accept(
        "smshosting",
        to=to,
        text="Ciao",
        sender="Casa",
        parts=1,
        reference=reference,
    )


def record(store: Store, body: bytes = b"") -> int:
    """Record one request."""
    call = Call(
        method="GET",
        path="/",
        base_url="",
        query={},
        headers={},
        body=body,
        fields={},
    )
    return store.record(
        call, "smshosting", Operation.OTHER, redirected=False, fault=None
    )


def test_the_oldest_message_is_forgotten_everywhere(store: Store) -> None:
    """By id, number, reference and provider."""
    first, *rest = [
        accept(store, f"+39340000000{n // 2}", f"r{n // 2}") for n in range(4)
    ]
    assert store.message(first.id) is None
    assert list(store.messages()) == store.by_provider("smshosting") == rest
    assert store.by_number("smshosting", first.to) == [rest[0]]
    assert store.by_reference("smshosting", "r0") == [rest[0]]
    accept(store, "+393400000009", "r9")
    assert store.by_number("smshosting", first.to) == []
    assert store.by_reference("smshosting", "r0") == []
    assert store.newest(2)[0].reference == "r9"


def test_requests_are_bounded_by_count_and_by_size(store: Store) -> None:
    """An answer to a forgotten request is no error."""
    numbers = [record(store) for _ in range(4)]
    assert [request.number for request in store.requests()] == numbers[1:]
    store.record_answer(numbers[0], Answer(status=200, content_type="", body=b""))
    big = record(store, b"x" * 60)
    store.record_answer(big, Answer(status=200, content_type="", body=b"y" * 50))
    assert list(store.requests()) == []
    record(store, b"z" * 90)
    assert len(list(store.requests())) == 1


def test_the_oldest_picture_is_forgotten(store: Store) -> None:
    """Only the newest stays."""
    picture = Upload(content_type="image/png", content=b"x")
    first, second = store.keep_picture(picture), store.keep_picture(picture)
    assert list(store.pictures) == [second] != [first]


def test_a_text_is_a_repetition_for_24_hours(store: Store) -> None:
    """The oldest texts are forgotten when there are too many."""
    for text in "abcd":
        store.remember_text("+393401234567", "Casa", text)
    repeats = [store.is_repeat("+393401234567", "Casa", text) for text in "abcd"]
    assert repeats == [False, True, True, True]
    store.shift = timedelta(hours=24)
    assert not store.is_repeat("+393401234567", "Casa", "d")
