"""What the tests of the ledger share."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
import resource
import sqlite3
import struct
from typing import Any

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    LedgerTrouble,
    Query,
)
from custom_components.sms_italia.messaging.ledger.records import Opened
from custom_components.sms_italia.messaging.model import Message, SendOptions
from custom_components.sms_italia.providers import Channel, Picture

from ..helpers import a_dispatch, a_message, mark_of

TODAY = "2026-11-14"
LONG = "x" * 200_000
"""A text that finds no room where a short one does."""
ENDLESS = 2**70
"""More parts than SQLite can count."""

PICTURE = Picture(
    content=b"\xff\xd8" + bytes(5000),
    filename="ingresso.jpg",
    content_type="image/jpeg",
)


class Shelf:
    """A ledger on disk, and the troubles that it reported."""

    def __init__(self, path: Path) -> None:
        """Keep it at this path."""
        self.path = path
        self.troubles: list[LedgerTrouble | None] = []
        self.ledger = Ledger(path, self.troubles.append, Clock(), mark=mark_of(path))

    async def open(self) -> Opened:
        """Open the ledger."""
        return await self.ledger.open(TODAY)

    async def reopen(self) -> Opened:
        """Close the ledger and open it anew."""
        await self.ledger.close()
        return await self.open()

    def trouble(self) -> LedgerTrouble | None:
        """Return what the ledger says is wrong with it."""
        return self.ledger.trouble

    async def add(self, index: int = 1, /, **changes: Any) -> Message:  # noqa: ANN401 - fields of a message
        """Record a dispatch of one message; some of the changes are the dispatch's."""
        of_dispatch = {
            name: changes.pop(name)
            for name in ("text", "account", "created", "options", "run", "user")
            if name in changes
        }
        dispatch = a_dispatch(index, **of_dispatch)
        message = a_message(dispatch, **changes)
        await self.ledger.record(Entry(messages=[message]))
        return message

    def note(self, index: int = 1, /) -> None:
        """Note a dispatch of one message, and do not wait for it."""
        dispatch = a_dispatch(index)
        self.ledger.note(Entry(messages=[a_message(dispatch)]))

    async def ids(self, **query: Any) -> list[int]:  # noqa: ANN401 - fields of a query
        """Return the numbers of the dispatches that are found, in order."""
        found = await self.ledger.find(Query(**query))
        return [message.dispatch.id // 10_000 for message in found.messages]


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def commits_in(path: Path) -> int:
    """Return how many commits SQLite's log of a database holds (its fileformat2)."""
    log = Path(f"{path}-wal").read_bytes()
    page_size, salt = struct.unpack_from(">I4xQ", log, 8)
    count = 0
    for start in range(32, len(log), 24 + page_size):
        _, size_after_commit, frame_salt = struct.unpack_from(">IIQ", log, start)
        count += bool(size_after_commit) and frame_salt == salt
    return count


def log_size(path: Path) -> int:
    """Return the bytes in SQLite's log of a database."""
    return Path(f"{path}-wal").stat().st_size


def cut_log(path: Path, count: int) -> None:
    """Take away the last bytes of SQLite's log of a database."""
    log = Path(f"{path}-wal")
    log.write_bytes(log.read_bytes()[:-count])


def written_to(path: Path) -> list[int]:
    """Return the numbers of the dispatches in a ledger's file, newest first."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT dispatch FROM messages ORDER BY id DESC")
        return [dispatch // 10_000 for (dispatch,) in rows]


def pictures_in(path: Path) -> int:
    """Return how many pictures a ledger holds."""
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM pictures").fetchone()
    assert isinstance(count, int)
    return count


def a_pictured(index: int = 1) -> list[Message]:
    """Return two messages of a dispatch with a picture."""
    options = SendOptions(
        picture=PICTURE, channel=Channel.PUSH, send_at=9.5, groups=("a",)
    )
    dispatch = a_dispatch(index, options=options)
    return [a_message(dispatch, place) for place in (1, 2)]


def asides(path: Path) -> list[Path]:
    """Return the databases that were set aside."""
    return [one for one in path.parent.iterdir() if one.name.endswith(".set_aside")]


def give_a_status_nobody_knows(path: Path) -> None:
    """Spoil all messages of a ledger, but not its file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE messages SET status = 'qveved'")
