"""Alarms while a provider is out of reach or hangs: with real connections."""

from pathlib import Path

import pytest

from custom_components.sms_italia.providers import PROVIDERS

from .outage import ALARMS, OUTAGES, Courses, Hang, Outage, run_all
from .wire import Break

CASES = [(list(PROVIDERS)[n % len(PROVIDERS)], one) for n, one in enumerate(OUTAGES)]
"""Each outage happens to one provider; `script/reliability` tries them all."""

SPEED = 4

MOST_IN_DOUBT = 2
"""Those of a storm whose requests left before anybody could know of the outage."""

PROBES = 4
"""In the minute of a storm, one every 15 seconds."""

_COURSES = pytest.StashKey[Courses]()

# The trials take a while: one process runs them once for all tests.
pytestmark = pytest.mark.xdist_group("outages")

each_case = pytest.mark.parametrize(
    ("provider", "outage"), CASES, ids=[outage.name for _, outage in CASES]
)


@pytest.fixture
async def found(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    socket_enabled: None,  # noqa: ARG001 - the kit blocks sockets without it
) -> Courses:
    """Return how all trials went; the first test that needs them runs them."""
    stash = request.config.stash
    if _COURSES not in stash:
        stash[_COURSES] = await run_all(tmp_path, CASES, speed=SPEED)
    return stash[_COURSES]


@each_case
@pytest.mark.parametrize("has_fallback", [True, False], ids=["fallback", "alone"])
async def test_after_any_outage_every_alarm_has_arrived_once_or_is_in_doubt(
    found: Courses, provider: str, outage: Outage, *, has_fallback: bool
) -> None:
    course = found[provider, outage, has_fallback]
    assert (course.lost, course.twice) == ([], [])


@each_case
async def test_with_a_fallback_account_alarms_arrive_while_the_outage_lasts(
    found: Courses, provider: str, outage: Outage
) -> None:
    """Two at most are in doubt where requests arrive, and none in a later storm."""
    course = found[provider, outage, True]
    most = 0 if isinstance(outage, Break) else MOST_IN_DOUBT
    assert course.first.in_doubt <= most
    assert course.first.arrived + course.first.in_doubt == ALARMS
    assert (course.second.arrived, course.second.in_doubt) == (ALARMS, 0)


@each_case
async def test_alone_and_out_of_reach_an_account_keeps_its_alarms_waiting(
    found: Courses, provider: str, outage: Outage
) -> None:
    """Where it takes requests and answers none, two are in doubt and the others wait.

    Where it answers all but what is sent, each probe that it answers lets one go.
    """
    course = found[provider, outage, False]
    match outage:
        case Break():
            most = 0
        case Hang.ALL:
            most = MOST_IN_DOUBT
        case Hang.SENDS:
            most = MOST_IN_DOUBT + PROBES
    assert max(course.first.in_doubt, course.second.in_doubt) <= most
    assert course.first.arrived == course.second.arrived == 0
