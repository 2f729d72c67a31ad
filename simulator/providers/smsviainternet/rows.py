"""The rows of the delivery endpoint.

Their fields: docs/development/provider-apis/smsviainternet.md 1.4.
"""

from datetime import datetime

from ...model import Json, Message, Status

_WORDS = {
    Status.QUEUED: None,
    Status.SENT: "BUFFERED",
    Status.DELIVERED: "DELIVERED",
    Status.FAILED: "NOT_DELIVERED",
    Status.EXPIRED: "NOT_DELIVERED",
}
# What the codes mean is not published; 997 is in the provider's own example.
_REASONS = {Status.FAILED: "997", Status.EXPIRED: "998"}


def delivery_row(message: Message) -> dict[str, Json]:
    """Return the one row of a message; nulls until there is a receipt."""
    reported = message.status.is_final
    return {
        "user_id": "70421",
        "queue_id": message.reference,
        "sender": message.sender,
        "receiver": message.to,
        "delivery_date": _moment(message.changed) if reported else None,
        "delivery_status": message.word or _WORDS[message.status],
        "reason_code": _REASONS.get(message.status),
    }


def part_rows(message: Message) -> list[dict[str, Json]]:
    """Return one row for each part; if a message failed, only its last part did."""
    row = delivery_row(message)
    others = row
    if message.status in _REASONS:
        others = row | {"delivery_status": "DELIVERED", "reason_code": None}
    return [others] * (message.parts - 1) + [row]


def _moment(moment: datetime) -> str:
    """Return the moment as the provider writes it; in UTC, as its zone is unknown."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
