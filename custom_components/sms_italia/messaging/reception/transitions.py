"""What a search finds that is new; all of it is pure."""

from collections import Counter
from collections.abc import Mapping

from ...providers import Incoming
from .model import New, Reception, Search, Seen

WINDOW = 2 * 86_400
"""Seconds that a search goes back; after a longer pause, nothing is known to be new."""
_KEPT = 7 * 86_400
"""Seconds that a row is kept which no search finds any more."""


def window(known: Reception | None, wall: float) -> float:
    """Return since when (wall time) to search.

    Not before the last search did, if the clock was set back by less than a day.
    """
    since = max(0, int(wall - WINDOW))
    if known is None:
        return since
    return max(since, min(known.since, since + WINDOW // 2))


def searched(known: Reception | None, search: Search) -> tuple[Reception, list[New]]:
    """Return what is known after a search, and what is new in it, oldest first.

    A row is new if there are more of its key than ever before. Where no search from
    before covers the same time, nothing is: it only sets the baseline.
    """
    counts = Counter(row.key for row in search.rows)
    before = {} if known is None else known.seen
    after = Reception(
        account=search.account,
        began=search.began.steady,
        since=search.since,
        seen=_seen(before, counts, search.began.steady),
    )
    if known is None or not _covers(known, search):
        return after, []
    left = {
        key: count - (before[key].count if key in before else 0)
        for key, count in counts.items()
    }
    new: list[New] = []
    for row in search.rows:
        if left[row.key] > 0:
            left[row.key] -= 1
            new.append(_new(row, known, search))
    return after, sorted(new, key=lambda one: one.at)


def _seen(
    before: Mapping[str, Seen], counts: Mapping[str, int], now: float
) -> dict[str, Seen]:
    """Return the rows seen until now; a row that is missing once may come again."""
    kept = {key: one for key, one in before.items() if one.last > now - _KEPT}
    there = {
        key: Seen(count=max(count, kept[key].count if key in kept else 0), last=now)
        for key, count in counts.items()
    }
    return kept | there


def _covers(known: Reception, search: Search) -> bool:
    """Return whether what a search finds beside what is known must be new."""
    is_recent = search.began.steady - known.began <= WINDOW
    return is_recent and search.since >= known.since


def _new(row: Incoming, known: Reception, search: Search) -> New:
    """Return an SMS with the time when it came in, as our steady clock counts it.

    By the provider's time, if that is not in the future. Without one it may have come
    right after the search before.
    """
    at = known.began
    if row.at is not None:
        ago = search.began.wall - row.at.timestamp()
        at = min(search.began.steady - ago, search.ended)
    return New(number=row.number, text=row.text, at=at)
