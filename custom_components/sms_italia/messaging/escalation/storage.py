"""Runs as the ledger keeps them: the whole run as JSON, but for its messages.

Those have rows of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
import json
from typing import Any

from ..clock import Moment
from ..ledger import RunRecord
from .model import (
    Acknowledgement,
    Call,
    Copy,
    Member,
    Plan,
    Run,
    RunState,
    Until,
    Way,
)

type _Json = Mapping[str, Any]


def to_record(run: Run) -> RunRecord:
    """Return the record of a run."""
    state = asdict(run)
    for call in (*state["calls"], *state["notes"]):
        for copy in call["copies"]:
            del copy["messages"]
    return RunRecord(
        id=run.id,
        account=run.plan.account,
        escalation=run.plan.id,
        ended=run.ended,
        state=json.dumps(state, ensure_ascii=False),
    )


def from_record(record: RunRecord) -> Run:
    """Return the run of a record, without its messages.

    Raises ValueError, TypeError or KeyError if it is none of ours.
    """
    state = json.loads(record.state)
    by = state["acknowledgement"]
    return Run(
        **{
            **state,
            "plan": _plan(state["plan"]),
            "began": Moment(**state["began"]),
            "texts": tuple(state["texts"]),
            "state": RunState(state["state"]),
            "calls": _calls(state["calls"]),
            "acknowledgement": None if by is None else _acknowledgement(by),
            "notes": _calls(state["notes"]),
            # An older release wrote none.
            "merged": tuple(state.get("merged", ())),
        }
    )


def _plan(plan: _Json) -> Plan:
    members = tuple(Member(**member) for member in plan["members"])
    return Plan(**{**plan, "members": members, "until": Until(plan["until"])})


def _calls(calls: Sequence[_Json]) -> tuple[Call, ...]:
    return tuple(
        Call(
            **{
                **call,
                "member": Member(**call["member"]),
                "copies": tuple(map(_copy, call["copies"])),
            }
        )
        for call in calls
    )


def _copy(copy: _Json) -> Copy:
    # An older release wrote none; the keys of JSON are text.
    accepted = {int(id_): at for id_, at in copy.get("accepted_at", {}).items()}
    return Copy(**{**copy, "texts": tuple(copy["texts"]), "accepted_at": accepted})


def _acknowledgement(by: _Json) -> Acknowledgement:
    member = None if by["member"] is None else Member(**by["member"])
    return Acknowledgement(**{**by, "way": Way(by["way"]), "member": member})
