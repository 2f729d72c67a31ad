"""Asking suspect accounts a harmless question, until they answer."""

import asyncio
from collections.abc import Callable, Coroutine
import logging

from ...providers import (
    ErrorKind,
    NotAcceptedError,
    OutcomeUnknownError,
    UnconfirmedAuthError,
)
from ..account import Account, Accounts
from ..alarm import Tasks
from ..clock import Clock
from .admission import SUSPECT
from .health import HealthRegistry
from .timing import Timing

_LOGGER = logging.getLogger(__name__)


class Prober:
    """Probes each suspect account, often while messages wait for it.

    Whatever the provider answers in its own words, a refusal too, shows that the line
    is there.
    """

    def __init__(  # noqa: PLR0913 - what a probe depends on
        self,
        *,
        accounts: Accounts,
        health: HealthRegistry,
        clock: Clock,
        timing: Timing,
        tasks: Tasks,
        is_waited_for: Callable[[str], bool],
        on_credentials_refused: Callable[[str], None],
    ) -> None:
        """Follow the health of the accounts.

        `is_waited_for` returns whether messages wait for an account, by its ID;
        `on_credentials_refused` is called if a probe finds that out.
        """
        self._accounts = accounts
        self._health = health
        self._clock = clock
        self._timing = timing
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._first: dict[str, asyncio.Task[None]] = {}
        self._tasks = tasks
        self._is_waited_for = is_waited_for
        self._on_credentials_refused = on_credentials_refused
        self._running: set[asyncio.Task[None]] = set()
        health.subscribe(self._on_change)

    async def probe(self, account_id: str) -> None:
        """Probe an account for a message that is about to be sent.

        Returns when it answered, or soon; its health then says if it did. Messages
        that come at the same time share one probe.
        """
        first = self._first.get(account_id)
        if first is None or first.done():
            first = self._spawn(self._ask(account_id, self._timing.first_probe))
            self._first[account_id] = first
        await asyncio.wait([first])

    def stop(self) -> None:
        """Probe no more; a probe on the wire is broken off."""
        for task in self._running:
            task.cancel()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start a task that `stop` cancels."""
        task = self._tasks.spawn(work, "probe")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def _on_change(self, account_id: str) -> None:
        """Watch an account that has become suspect."""
        watch = self._watches.get(account_id)
        is_watched = watch is not None and not watch.done()
        if self._is_suspect(account_id) and not is_watched:
            self._watches[account_id] = self._spawn(self._watch(account_id))

    def _is_suspect(self, account_id: str) -> bool:
        is_attached = account_id in self._accounts
        return is_attached and self._health.of(account_id).condition in SUSPECT

    async def _watch(self, account_id: str) -> None:
        """Probe an account whenever it is due, until it is suspect no more."""
        last = self._clock.now()
        while True:
            await asyncio.sleep(self._timing.probe)
            if not self._is_suspect(account_id):
                return
            now = self._clock.now()
            is_idle_due = now - last >= self._timing.idle_probe
            if is_idle_due or self._is_waited_for(account_id):
                last = now
                # It ends when the next one begins, which may find the line back.
                self._spawn(self._ask(account_id, self._timing.probe))

    async def _ask(self, account_id: str, patience: float) -> None:
        """Ask an account the harmless question, for so many seconds at most."""
        began = self._clock.now()
        health = self._health.of(account_id)
        try:
            async with asyncio.timeout(patience):
                if await self._is_answered(self._accounts[account_id]):
                    health.probed(began)
        except TimeoutError:
            pass
        except Exception as err:  # noqa: BLE001 - a fault of ours ends no watch
            # The exception itself may carry what must not be logged.
            _LOGGER.error("A probe failed: %s", type(err).__name__)  # noqa: TRY400 - same reason

    async def _is_answered(self, account: Account) -> bool:
        """Return whether the provider answers in its own words."""
        try:
            await account.client.probe()
        except OutcomeUnknownError, UnconfirmedAuthError:
            return False
        except NotAcceptedError as err:
            is_current = self._accounts.get(account.id) is account
            if is_current and err.kind is ErrorKind.AUTH:
                self._on_credentials_refused(account.id)
            return err.kind is not ErrorKind.UNAVAILABLE
        return True
