"""What the ledger's file lacks while it cannot be written.

It is kept in memory, and in a journal: a small file of fixed size beside the ledger's.
Its blocks are written once while there is room; after that it is overwritten in place,
which needs no room on a full disk. It has two slots, and each state goes to the slot of
the older one: a write that is torn leaves the state before.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
import json
import os
from pathlib import Path
import struct
import zlib

from ..clock import ClockReading, Moment
from ..model import DayTotal, Message, Stage
from . import rows
from .records import (
    Entry,
    Opened,
    ReceptionRecord,
    Remembered,
    RunRecord,
    Spent,
    SubmissionIntent,
)

_KEPT = 5000
"""Closed messages and requests that are kept at most; all that is open is kept.

Of more closed messages the IDs are kept: the file may hold that they wait.
"""

_SLOT = 256 * 1024
"""Bytes of a slot: some 3,000 messages with short texts, packed."""
_HEADER = struct.Struct(">8s16sQII")
"""Magic, the ledger's ID, sequence number, length and CRC-32 of what follows."""
_MAGIC = b"SMSIJRN1"
_ROOM = _SLOT - _HEADER.size

_UNSENT = frozenset({Stage.WAITING, Stage.HELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """A commit of which nobody knows whether it was made, and what it added to totals.

    `reading` is what it writes of the clock, which no other commit has.
    """

    reading: ClockReading
    spent: Sequence[Spent]

    def undone(self) -> Entry:
        """Return an entry that takes back what it added."""
        spent = (replace(one, parts=-one.parts, cost=-one.cost) for one in self.spent)
        return Entry(spent=tuple(spent))


class Unwritten:
    """Entries that failed, merged to one with the last state of everything."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._messages: dict[int, Message] = {}
        self._ended: set[int] = set()
        self._submissions: dict[str, SubmissionIntent] = {}
        self._spent: dict[tuple[str, str], DayTotal] = {}
        self._runs: dict[int, RunRecord] = {}
        self.receptions: dict[str, ReceptionRecord] = {}

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(
            self._messages
            or self._ended
            or self._submissions
            or self._spent
            or self._runs
            or self.receptions
        )

    @property
    def ids(self) -> frozenset[int]:
        """The IDs of the messages."""
        return frozenset(self._messages) | self._ended

    def absorb(self, entry: Entry) -> None:
        """Keep an entry that could not be written."""
        for message in entry.messages:
            # Behind the others: the oldest are dropped first.
            self._messages.pop(message.id, None)
            self._messages[message.id] = message
            self._ended.discard(message.id)
        self._ended.update(entry.ended)
        self._submissions |= {one.reference: one for one in entry.submissions}
        for spent in entry.spent:
            self._add(spent.day, spent.account, spent.parts, spent.cost)
        self._runs |= {run.id: run for run in entry.runs}
        self.receptions |= {one.account: one for one in entry.receptions}
        closed = [
            id_ for id_, one in self._messages.items() if one.stage is Stage.CLOSED
        ]
        for id_ in closed[: -_KEPT or None]:
            del self._messages[id_]
            self._ended.add(id_)
        for reference in tuple(self._submissions)[:-_KEPT]:
            del self._submissions[reference]

    def _add(self, day: str, account: str, parts: int, cost: Decimal) -> None:
        total = self._spent.get((day, account), DayTotal())
        self._spent[day, account] = total.plus(parts, cost)

    def supersede(self, entry: Entry) -> None:
        """Drop what an entry on disk knows better."""
        for message in entry.messages:
            self._messages.pop(message.id, None)
            self._ended.discard(message.id)
        self._ended.difference_update(entry.ended)
        for run in entry.runs:
            self._runs.pop(run.id, None)
        for one in entry.receptions:
            self.receptions.pop(one.account, None)

    def runs(self, found: Iterable[RunRecord]) -> tuple[RunRecord, ...]:
        """Return the runs that the file holds, as they are by now; oldest first."""
        known = {run.id: run for run in found} | self._runs
        return tuple(known[id_] for id_ in sorted(known))

    def take(self) -> Entry | None:
        """Return all there is, to be written, and keep nothing; None if empty."""
        entry = self.entry()
        self._messages, self._submissions, self._spent = {}, {}, {}
        self._ended = set()
        self._runs, self.receptions = {}, {}
        return entry

    def entry(self) -> Entry | None:
        """Return all there is, None if empty."""
        if not self:
            return None
        return Entry(
            messages=tuple(self._messages.values()),
            ended=frozenset(self._ended),
            submissions=tuple(self._submissions.values()),
            spent=tuple(
                Spent(day=day, account=account, parts=total.parts, cost=total.cost)
                for (day, account), total in self._spent.items()
            ),
            runs=tuple(self._runs.values()),
            receptions=tuple(self.receptions.values()),
        )

    def forget(self, account: str) -> None:
        """Drop all that was asked of an account, and what it spent."""
        self._messages = {
            id_: one
            for id_, one in self._messages.items()
            if one.dispatch.account != account
        }
        self._submissions = {
            reference: one
            for reference, one in self._submissions.items()
            if one.account != account
        }
        self._spent = {
            key: one for key, one in self._spent.items() if key[1] != account
        }
        self._runs = {
            id_: one for id_, one in self._runs.items() if one.account != account
        }
        self.receptions.pop(account, None)

    def begin_anew(self, remembered: Remembered, waiting: Iterable[Entry]) -> None:
        """Take over all that a new file must hold, but for entries still to come."""
        self._messages |= {message.id: message for message in remembered.messages}
        self._runs |= {run.id: run for run in remembered.runs}
        for day, totals in remembered.totals.items():
            for account, total in totals.items():
                self._spent[day, account] = total
        for entry in waiting:
            for spent in entry.spent:
                if spent.day in remembered.totals:
                    self._add(spent.day, spent.account, -spent.parts, -spent.cost)

    def completed(self, opened: Opened, today: str) -> Opened:
        """Return what the file held when it was opened, with what it should hold."""
        messages = {message.id: message for message in opened.open_messages}
        messages |= self._messages
        totals = dict(opened.totals)
        for (day, account), spent in self._spent.items():
            if day == today:
                total = totals.get(account, DayTotal())
                totals[account] = total.plus(spent.parts, spent.cost)
        return replace(
            opened,
            open_messages=tuple(
                messages[id_]
                for id_ in sorted(messages)
                if messages[id_].stage is not Stage.CLOSED and id_ not in self._ended
            ),
            totals=totals,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a journal held.

    `submitted` are the IDs of messages that did not fit and were submitted, or that
    ended: what the ledger holds of them may still be that they wait. `clock` is what
    the clock showed.
    """

    entry: Entry
    submitted: frozenset[int]
    clock: ClockReading


class Journal:
    """The journal of one ledger; `sequence` is the number of its last state."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; nothing is read or written yet."""
        self._path = path
        self._owner = b""
        self._is_blank = True
        self._length = 0
        self.sequence = 0

    def read(self, owner: bytes, written: int) -> Kept | None:
        """Return what the ledger with the ID `owner` lacks; None if nothing.

        `written` is the number of the last state that the ledger holds. A journal that
        belongs to another ledger is overwritten by the next state. From here on, states
        can be kept.
        """
        self._owner = owner
        self.sequence = written
        try:
            content = self._path.read_bytes()
        except OSError:
            return None
        self._is_blank = not any(content)
        states = [
            state
            for start in (0, _SLOT)
            if (state := self._state(content[start : start + _SLOT])) is not None
        ]
        for sequence, payload in sorted(states, reverse=True):
            self.sequence = max(self.sequence, sequence)
            if sequence > written and (kept := _unpacked(payload)) is not None:
                return kept
        return None

    def _state(self, slot: bytes) -> tuple[int, bytes] | None:
        """Return the number and content of a state, None if it is not whole or ours."""
        if len(slot) < _HEADER.size:
            return None
        magic, owner, sequence, length, checksum = _HEADER.unpack_from(slot)
        payload = slot[_HEADER.size : _HEADER.size + length]
        is_ours = magic == _MAGIC and owner == self._owner
        if not is_ours or checksum != _checksum(sequence, payload):
            return None
        return sequence, payload

    def remove(self) -> None:
        """Delete the file: the ledger is deleted too. Raises OSError."""
        self._path.unlink(missing_ok=True)

    def allocate(self) -> None:
        """Take the room on the disk, if that was not done. Raises OSError."""
        if not self._path.exists() or self._path.stat().st_size != 2 * _SLOT:
            self._overwrite(0, bytes(2 * _SLOT))

    def write(self, entry: Entry, reading: ClockReading) -> bool:
        """Keep an entry in the place of those before; return whether all of it fits.

        With what the clock shows. Raises OSError if nothing of it is kept.
        """
        if not self._owner:
            return False
        self.allocate()
        payload, is_whole = _packed(entry, reading)
        sequence = self.sequence + 1
        header = _HEADER.pack(
            _MAGIC, self._owner, sequence, len(payload), _checksum(sequence, payload)
        )
        self._is_blank = False
        self._overwrite(sequence % 2 * _SLOT, header + payload)
        self.sequence = sequence
        self._length = len(header) + len(payload)
        return is_whole

    def write_alone(self, entry: Entry, reading: ClockReading) -> bool:
        """Keep an entry as `write` does, and overwrite all else that is there."""
        is_whole = self.write(entry, reading)
        if self._owner:
            start = self.sequence % 2 * _SLOT
            self._overwrite(start + self._length, bytes(_SLOT - self._length))
            self._overwrite(_SLOT - start, bytes(_SLOT))
        return is_whole

    def wipe(self) -> None:
        """Overwrite all texts and numbers in it. Raises OSError."""
        if not self._is_blank:
            self._overwrite(0, bytes(2 * _SLOT))
            self._is_blank = True

    def _overwrite(self, start: int, content: bytes) -> None:
        # It holds numbers and texts: for nobody else on the machine.
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "r+b", buffering=0) as stream:
            os.fchmod(file, 0o600)
            stream.seek(start)
            view = memoryview(content)
            while view:
                view = view[stream.write(view) :]
            os.fsync(file)


def _checksum(sequence: int, payload: bytes) -> int:
    return zlib.crc32(payload, sequence & 0xFFFFFFFF)


def _packed(entry: Entry, reading: ClockReading) -> tuple[bytes, bool]:
    """Return what fits of an entry, and whether that is all.

    What was submitted is kept by its ID then, and the oldest of what waits in full: the
    first must not be sent again, and the second is to be sent.
    """
    payload = _pack(entry, entry.ended, reading)
    if len(payload) <= _ROOM:
        return payload, True
    unsent = [one for one in entry.messages if one.stage in _UNSENT]
    others = (one.id for one in entry.messages if one.stage not in _UNSENT)
    submitted = {*entry.ended, *others}
    count = len(unsent)
    while True:
        payload = _pack(_short(entry, unsent[:count]), submitted, reading)
        if len(payload) <= _ROOM:
            return payload, False
        if not count:
            raise OSError("the journal is full")
        count //= 2


def _short(entry: Entry, messages: Sequence[Message]) -> Entry:
    return Entry(messages=messages, spent=entry.spent, runs=entry.runs)


def _pack(entry: Entry, submitted: Collection[int], reading: ClockReading) -> bytes:
    content = {
        "entry": rows.entry_rows(entry),
        "submitted": list(submitted),
        "clock": [reading.clock, reading.moment.steady, reading.moment.wall],
    }
    return zlib.compress(json.dumps(content).encode(), 1)


def _unpacked(payload: bytes) -> Kept | None:
    """Return what was packed, None if a release that packed otherwise did it."""
    try:
        content = json.loads(zlib.decompress(payload))
        clock, steady, wall = content["clock"]
        return Kept(
            clock=ClockReading(clock=clock, moment=Moment(steady=steady, wall=wall)),
            entry=rows.entry_of(content["entry"]),
            submitted=frozenset(content["submitted"]),
        )
    except zlib.error, KeyError, TypeError, ValueError, ArithmeticError:
        return None
