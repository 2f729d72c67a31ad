"""Receptions as the ledger keeps them, as JSON."""

from dataclasses import asdict
import json

from ..ledger import ReceptionRecord
from .model import Reception, Seen


def to_record(reception: Reception) -> ReceptionRecord:
    """Return the record of a reception."""
    return ReceptionRecord(
        account=reception.account, state=json.dumps(asdict(reception))
    )


def from_record(record: ReceptionRecord) -> Reception:
    """Return the reception of a record.

    Raises ValueError, TypeError or KeyError if it is none of ours.
    """
    state = json.loads(record.state)
    seen = {key: Seen(**one) for key, one in state["seen"].items()}
    return Reception(**{**state, "seen": seen})
