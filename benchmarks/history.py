"""The cost of a long history: a send, a start, a search, the disk."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import batched
from pathlib import Path
import sqlite3
from statistics import median
import time

from custom_components.sms_italia.messaging import Dispatch, Message, Stage
from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    Spent,
    SubmissionIntent,
)
from custom_components.sms_italia.providers import Encoding, Status
from script.home_assistant.process import Process

from . import system
from .contenders import SENT_FOR_EACH_COUNTED, TEXT, Contender, number
from .figures import Chapter, Direction, Goal, Table, kib, ms, times
from .instance import MEASURED_PROVIDER, MeasuredInstance

_TEXT = """\
Ledgers with that many delivered messages of the last 25 days, each sent alone; a Home
Assistant runs on each of them, all at the same time, and they are measured in turns. A
start is the set-up of the account that opens the ledger. Each search finds as much in
each ledger: 50 messages, one or none. Bytes are those of an alert and its outcome,
without the delivery report: what the process writes to its files, and what of that goes
to the disk, in whole blocks.
"""

_DAYS = 25
_ENTRIES_AT_ONCE = 5000
_NUMBERS = 1000
"""How many different ones a history has."""
_PRICE = Decimal("0.05")
_SENDS = 20
"""In each round."""

_TIMES = 3
"""Each search in each round."""
_RECENT = 60
"""Messages that each ledger has beside its history, so that searches find as much."""
_RARE = 9_000_000
"""The turn of the first of them, whose number and text are nowhere else."""
_RARE_TEXT = TEXT.format(contender=Contender.OUR_ACTION, turn=_RARE)

_FLAT = 1.1
_LONGEST_START = 0.2
_MOST_WRITTEN = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    """A search with `find_messages`."""

    name: str
    query: Mapping[str, object]


_SEARCHES = (
    _Search(name="the newest 50", query={}),
    _Search(name="by number", query={"number": number(_RARE)}),
    _Search(name="by status", query={"status": Status.FAILED}),
    _Search(name="by text", query={"text": _RARE_TEXT}),
)


@dataclass(slots=True, kw_only=True)
class _Ledger:
    """A running instance with a history, and the seconds measured there."""

    size: int
    instance: MeasuredInstance
    process: Process
    sends: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    searches: dict[_Search, list[float]] = field(
        default_factory=lambda: {search: [] for search in _SEARCHES}
    )
    scans: list[float] = field(default_factory=list)
    handed_over: float = 0
    put_on_disk: float = 0


async def measure(
    model: MeasuredInstance, place: Path, sizes: Sequence[int], rounds: int
) -> Chapter:
    """Measure copies of `model` in a folder, in that many rounds."""
    async with AsyncExitStack() as stack:
        ledgers: list[_Ledger] = []
        for size in sizes:
            instance = model.copy(place / f"history_{size}")
            instance.clear_ledger()
            await fill(instance.ledger, size, instance.accounts[MEASURED_PROVIDER])
            process = await stack.enter_async_context(instance.run_measured())
            await instance.seconds(
                "at_once", contender=Contender.OUR_ACTION, count=_RECENT, first=_RARE
            )
            await instance.call("tidy")
            ledgers.append(_Ledger(size=size, instance=instance, process=process))
        for _ in range(rounds):
            for ledger in ledgers:
                await _send(ledger)
            for ledger in ledgers:
                await _search(ledger)
        for _ in range(rounds):
            for ledger in ledgers:
                await _start(ledger)
    return _chapter(ledgers)


async def fill(path: Path, size: int, account: str) -> None:
    """Write a ledger with that many delivered messages of an account."""
    now = time.time()
    ledger = Ledger(path, lambda _trouble: None, Clock())
    await ledger.open("")
    for turns in batched(range(size), _ENTRIES_AT_ONCE, strict=False):
        # What is recorded at the same time goes to the disk together.
        await asyncio.gather(
            *(
                ledger.record(
                    _entry(turn, account, now - _DAYS * 86_400 * (1 - turn / size))
                )
                for turn in turns
            )
        )
    await ledger.close()


def _entry(turn: int, account: str, created: float) -> Entry:
    """Return the ledger entry of a delivered message."""
    dispatch = Dispatch(
        id=int(created * 1000) << 20,
        account=account,
        text=TEXT.format(contender="history", turn=turn),
        encoding=Encoding.GSM7,
        parts=1,
        created=created,
        due=created,
        expires=created + 3600,
        route=(account,),
    )
    submission = SubmissionIntent(
        reference=f"{turn:032}", dispatch=dispatch.id, account=account, created=created
    )
    message = Message(
        id=dispatch.id + 1,
        dispatch=dispatch,
        number=number(turn % _NUMBERS),
        recipient=None,
        status=Status.DELIVERED,
        stage=Stage.CLOSED,
        updated=created + 5,
        changed_at=created + 5,
        parts=1,
        last_account=account,
        submission=submission.reference,
        provider_id=f"{10**16 + turn}",
        cost=_PRICE,
    )
    spent = Spent(
        day=time.strftime("%Y-%m-%d", time.localtime(created)),
        account=account,
        parts=1,
        cost=_PRICE,
    )
    return Entry(messages=[message], submissions=[submission], spent=[spent])


async def _send(ledger: _Ledger) -> None:
    """Send some alerts, and count the bytes written for them."""
    pid = ledger.process.pid
    handed_over, on_disk = system.handed_over(pid), system.put_on_disk(pid)
    sent = await ledger.instance.one_by_one([Contender.OUR_ACTION], _SENDS)
    ledger.handed_over += system.handed_over(pid) - handed_over
    ledger.put_on_disk += system.put_on_disk(pid) - on_disk
    ledger.sends += [one.took for one in sent]


async def _search(ledger: _Ledger) -> None:
    for search, took in ledger.searches.items():
        for _ in range(_TIMES):
            took.append(await ledger.instance.seconds("find", query=search.query))
    ledger.scans.append(await asyncio.to_thread(_scan, ledger.instance.ledger))


def _scan(path: Path) -> float:
    """Have SQLite count the texts that contain one; return the seconds. Blocking."""
    uri = f"{path.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        begin = time.perf_counter()
        database.execute(
            "SELECT count(*) FROM dispatches WHERE instr(text, ?)", (_RARE_TEXT,)
        ).fetchone()
        return time.perf_counter() - begin


async def _start(ledger: _Ledger) -> None:
    entry = ledger.instance.accounts[MEASURED_PROVIDER]
    ledger.starts.append(await ledger.instance.seconds("set_up", entries=[entry]))


def _chapter(ledgers: Sequence[_Ledger]) -> Chapter:
    sends = [median(ledger.sends) for ledger in ledgers]
    starts = [median(ledger.starts) for ledger in ledgers]
    searches = {
        search: [median(ledger.searches[search]) for ledger in ledgers]
        for search in _SEARCHES
    }
    # The uncounted ones that are sent first are written as well.
    alerts = [len(ledger.sends) * SENT_FOR_EACH_COUNTED for ledger in ledgers]
    handed_over = [
        ledger.handed_over / count
        for ledger, count in zip(ledgers, alerts, strict=True)
    ]
    on_disk = [
        ledger.put_on_disk / count
        for ledger, count in zip(ledgers, alerts, strict=True)
    ]
    scans = [median(ledger.scans) for ledger in ledgers]
    by_text = _SEARCHES[-1]
    # A part of a text may be anywhere: to count the texts that have it, all are read.
    floors = {f"`find_messages`, {by_text.name}": scans[-1] / searches[by_text][0]}
    rows: list[tuple[str, list[str], float]] = [
        ("A send", [ms(one) for one in sends], sends[-1] / sends[0]),
        ("A start", [ms(one) for one in starts], starts[-1] / starts[0]),
        *(
            (
                f"`find_messages`, {search.name}",
                [ms(one) for one in took],
                took[-1] / took[0],
            )
            for search, took in searches.items()
        ),
        (
            "SQLite alone, to find a text",
            [ms(one) for one in scans],
            scans[-1] / scans[0],
        ),
        (
            "Written for an alert",
            [kib(one) for one in handed_over],
            handed_over[-1] / handed_over[0],
        ),
        (
            "of that, on the disk",
            [kib(one) for one in on_disk],
            on_disk[-1] / max(on_disk[0], 1),
        ),
    ]
    largest = f"{ledgers[-1].size:,} messages"
    return Chapter(
        title="A long history",
        text=_TEXT,
        tables=[
            Table(
                columns=["", *(f"{ledger.size:,}" for ledger in ledgers), ""],
                rows=[[name, *shown, times(ratio)] for name, shown, ratio in rows],
            )
        ],
        goals=[
            *(
                Goal(
                    name=f"{name} with {largest}, to an empty ledger",
                    value=ratio,
                    direction=Direction.AT_MOST,
                    target=_FLAT,
                    floor=floors.get(name),
                )
                for name, _, ratio in rows[:-3]
            ),
            Goal(
                name=f"A start with {largest}",
                value=starts[-1] * 1000,
                direction=Direction.AT_MOST,
                target=_LONGEST_START * 1000,
                unit="ms",
            ),
            Goal(
                name=f"Written for an alert with {largest}",
                value=handed_over[-1] / 1024,
                direction=Direction.AT_MOST,
                target=_MOST_WRITTEN / 1024,
                unit="KiB",
            ),
        ],
    )
