"""The least work of a sender that must neither lose nor repeat a text.

It writes down that it will send, so that a kill of the process cannot undo it, sends
while the disk is synced, and writes down the outcome. What many write at the same time
goes to the disk together. It has none of the rest: checks, parts, reports, sensors.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path
import sqlite3

_DELAY = 0.01
"""Seconds until a line is written that `write_later` was given."""


class Notes:
    """A file with a line for each note."""

    def __init__(self, path: Path) -> None:
        """Create the file. Blocking."""
        self._executor = ThreadPoolExecutor(max_workers=1)
        self._database = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._log = os.open(f"{path}-wal", os.O_RDWR | os.O_CREAT)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, note TEXT)"
        )
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._work: asyncio.Future[None] | None = None

    async def write(self, note: str) -> None:
        """Write a line; returns when it is committed, and synced a moment later."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((note, future))
        self._write_next()
        await future

    def write_later(self, note: str) -> None:
        """Write a line with the next one, or in a moment."""
        loop = asyncio.get_running_loop()
        self._waiting.append((note, loop.create_future()))
        loop.call_later(_DELAY, self._write_next)

    def close(self) -> None:
        """End the thread, for which Home Assistant would wait. Blocking."""
        self._executor.shutdown()
        self._database.close()
        os.close(self._log)

    def _write_next(self) -> None:
        if self._work is not None or not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        self._work = asyncio.get_running_loop().run_in_executor(
            self._executor, self._commit, [note for note, _ in batch]
        )

        def done(_work: asyncio.Future[None]) -> None:
            self._work = None
            for _, future in batch:
                future.set_result(None)
            self._executor.submit(os.fdatasync, self._log)
            self._write_next()

        self._work.add_done_callback(done)

    def _commit(self, notes: Sequence[str]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(
            "INSERT INTO notes (note) VALUES (?)", ((note,) for note in notes)
        )
        self._database.execute("COMMIT")
