"""Escalations: calling one member after another until somebody answers."""

from .calls import FindMember, MemberDetails
from .model import Acknowledgement, Member, Plan, Run, RunState, Until, Way
from .news import RunEvent, RunNews
from .runner import Escalations

__all__ = [
    "Acknowledgement",
    "Escalations",
    "FindMember",
    "Member",
    "MemberDetails",
    "Plan",
    "Run",
    "RunEvent",
    "RunNews",
    "RunState",
    "Until",
    "Way",
]
