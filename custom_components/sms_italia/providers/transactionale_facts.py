"""Transactionale: everything its page documents, and how it is used."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from .facts import Fact, FactKind, facts, meaning
from .model import ErrorKind, Status

FIELDS: Mapping[str, ErrorKind] = MappingProxyType(
    {
        "phone": ErrorKind.RECIPIENT,
        "sender_id": ErrorKind.SENDER,
        "body": ErrorKind.TEXT,
    }
)
"""What a refused field means; where several are refused the first one counts."""

PROGRESS: Mapping[str, Status] = MappingProxyType(
    {"pending": Status.QUEUED, "sent": Status.SENT}
)
"""The words of `status`."""

DELIVERY: Mapping[str, Status] = MappingProxyType(
    {
        "delivered": Status.DELIVERED,
        "failed": Status.FAILED,
        "expired": Status.EXPIRED,
    }
)
"""The words of `delivery_status`, and `expired` of the delivery webhook."""

_SEND = "POST /platform/api/sms/send"
_READ = "GET /platform/api/sms/send/{id}"
_WEBHOOK = "delivery webhook"

_MESSAGE = {
    "id": "the message's id",
    "phone": "repeats the number; not needed",
    "sender_id": "repeats the sender; not needed",
    "body": "repeats the text; not needed",
    "status": "how far it got, while delivery_status is unknown",
    "delivery_status": "what became of it",
    "url": "where to ask about it, if it leads to the account's own host",
    "webhook_url": "repeats our address; not needed",
    "receive_dlr": "repeats the rule; not needed",
    "country": "the country of the number; our ledger has the number itself",
    "is_two_way": "always false: the provider takes no replies",
}


def _all() -> Iterator[Fact]:
    """Yield every fact, in the order of the page."""
    yield from facts(
        FactKind.PARAMETER,
        "every request",
        {"Authorization": "the account's key, alone in the header"},
    )
    yield from facts(
        FactKind.PARAMETER,
        _SEND,
        {
            "phone": "the recipient, without the +",
            "sender_id": "the sender of the submission, else of the account",
            "body": "the text, as it was prepared",
            "webhook_url": "where Home Assistant is told what became of it",
            "receive_dlr": (
                "the rule of the submission, else of the account; always, where"
                " there is none and Home Assistant has an address"
            ),
            "receive_dlr: default": "leaves it to the provider's panel",
            "receive_dlr: always": "calls back in any case",
            "receive_dlr: on_error": "calls back if it was not delivered",
            "receive_dlr: off": "never calls back",
        },
    )
    for where in (_SEND, _READ):
        yield from facts(FactKind.ANSWER, where, _MESSAGE)
        words = {f"status {word}": meaning(one) for word, one in PROGRESS.items()}
        words |= {
            f"delivery_status {word}": meaning(DELIVERY[word])
            for word in ("delivered", "failed")
        }
        words["delivery_status unknown"] = "as status says"
        yield from facts(FactKind.STATUS, where, words)
    errors = {f"400 {name}": meaning(kind) for name, kind in FIELDS.items()}
    errors |= {
        "400 another field": meaning(ErrorKind.REFUSED),
        "400 with errors": "the fields stand inside errors",
        "400 without errors": "the fields stand in the answer itself",
        "401": meaning(ErrorKind.AUTH),
    }
    yield from facts(FactKind.ERROR, _SEND, errors)
    yield from facts(
        FactKind.ANSWER,
        _WEBHOOK,
        {
            "sms_id": "which message it is about",
            "phone": "which number it is about",
            "send_time": "when it was sent; our ledger has that",
            "status_time": "when it got its status",
            "status": "what became of it",
        },
    )
    words = {word: meaning(status) for word, status in DELIVERY.items()}
    yield from facts(FactKind.STATUS, _WEBHOOK, words)


FACTS = tuple(_all())
