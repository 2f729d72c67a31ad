"""The words of reception: a search, what was seen before, and what is new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...providers import Incoming
from ..clock import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Rows that look the same: how many there were, and when (steady time) last."""

    count: int
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What is known of an account's SMS after a complete search.

    The search began at `began` (steady time) and went back to `since` (wall time).
    `seen` has the rows by their key, which shows neither number nor text.
    """

    account: str
    began: float
    since: float
    seen: Mapping[str, Seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A complete search: all `rows` since `since` (wall time).

    It ended at `ended` (steady time).
    """

    account: str
    began: Moment
    ended: float
    since: float
    rows: Sequence[Incoming] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """An SMS that came in; `at` is when (steady time), rather too early than too late.

    `number` is as that of `Incoming`.
    """

    number: str | None = field(repr=False)
    text: str = field(repr=False)
    at: float
