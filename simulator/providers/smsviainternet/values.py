"""What the page allows as a number and as a moment.

Facts: docs/development/provider-apis/smsviainternet.md 1.2 and 1.8.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
import re
from zoneinfo import ZoneInfo

ROME = ZoneInfo("Europe/Rome")

_ITALIAN = re.compile(r"39[1-9][0-9]{7,10}")
"""With the lengths of the page's examples; a landline begins with 0."""
_FOREIGN = re.compile(r"(?!39)[1-9][0-9]{7,14}")

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
_UNITS = {
    "sec": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_UNIT = r"(?P<unit>sec|min|hour|day|week)(?:ond|ute)?s?"
_LATER = re.compile(rf"(?:\+ ?(?P<number>[0-9]{{1,4}})|next) {_UNIT}")
_DAY_OF_MONTH = re.compile(
    rf"(?P<which>{'|'.join(_ORDINALS)}) (?P<day>{'|'.join(_DAYS)})[a-z]{{0,6}}"
    rf"(?: of)? (?P<month>{'|'.join(_MONTHS)})[a-z]{{0,6}} (?P<year>[0-9]{{4}})"
)


def number_of(written: str) -> str | None:
    """Return a number in E.164, None if it is not valid.

    Without "+" it gets +39; one that is too long for that has its country code.
    """
    has_prefix = written.startswith("+")
    for digits in [written[1:]] if has_prefix else [f"39{written}", written]:
        if _ITALIAN.fullmatch(digits) or _FOREIGN.fullmatch(digits):
            return f"+{digits}"
    return None


def moment_of(written: str, now: datetime) -> datetime:
    """Return the moment that PHP's strtotime makes of the forms that the page names.

    Without an offset it is in Rome's time. Raises ValueError for any other form.
    """
    here = now.astimezone(ROME)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    words = " ".join(written.lower().split())
    if words in {"", "now"}:
        return now
    if words == "tomorrow":
        return midnight + timedelta(days=1)
    if later := _LATER.fullmatch(words):
        return now + int(later["number"] or 1) * _UNITS[later["unit"]]
    if found := _DAY_OF_MONTH.fullmatch(words):
        month = _MONTHS.index(found["month"]) + 1
        days = list(_days(midnight.replace(int(found["year"]), month, 1), found["day"]))
        return days[_ORDINALS[found["which"]]]
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=ROME)


def _days(first: datetime, name: str) -> Iterator[datetime]:
    """Yield the days of this name in the month that begins with `first`."""
    day = first + timedelta(days=(_DAYS.index(name) - first.weekday()) % 7)
    while day.month == first.month:
        yield day
        day += timedelta(days=7)
