"""What the tests of the messaging layer share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import shutil
import sys
import textwrap
import time
from typing import Any

from custom_components.sms_italia.messaging import (
    Account,
    AccountOptions,
    BadTarget,
    Clock,
    Dispatch,
    Event,
    LedgerTrouble,
    Member,
    MemberDetails,
    Message,
    MessagesChanged,
    Messenger,
    PhoneNumber,
    Query,
    SendOptions,
    SendRequest,
    Stage,
    Target,
    TextEncoding,
    Timing,
)
from custom_components.sms_italia.providers import (
    Channel,
    Encoding,
    ErrorKind,
    Status,
)

from .fake import PRESETS, Arrived, Call, FakeClient, Line, Operation, fake_provider

SENDER = "Casa"
TEXT = "Allarme: porta aperta"
NUMBER = "+393331234567"
OTHER = "+393337654321"
THIRD = "+393339999999"

TIMING = Timing(
    probe=0.02,
    send_anyway=0.05,
    first_pause=0.01,
    longest_pause=0.05,
    first_poll=0.01,
    longest_poll=0.03,
)
STILL = Timing(first_pause=3600, longest_pause=3600, first_poll=3600, longest_poll=3600)
"""Nothing is tried again or asked about by itself while a test runs."""

_DAY = 86_400
_PATIENCE = 20
"""Seconds after which a condition is taken never to come true."""


async def until(condition: Callable[[], object]) -> None:
    """Return when the condition is true; fail if it never becomes so."""
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - what others do sets no event
            await asyncio.sleep(0.002)


async def tidied_up() -> None:
    """Return when what is old is forgotten, which nobody waits for."""
    tasks = asyncio.all_tasks
    await until(lambda: all("tidying up" not in one.get_name() for one in tasks()))


def numbers(count: int) -> list[str]:
    """Return different numbers of Italian mobiles."""
    return [f"+39333{index:07}" for index in range(count)]


class Time:
    """The real time, but from noon of tomorrow, moved forward by what a test wants.

    At noon, no test crosses midnight by the hour at which it happens to run.
    """

    def __init__(self) -> None:
        """Start with noon."""
        now = time.time()
        self._to_noon = (now // _DAY + 1.5) * _DAY - now
        self.shift = 0.0
        self.passed = 0.0

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time() + self._to_noon + self.shift

    def steady(self) -> float:
        """Return seconds that no setting of the clock changes."""
        return time.monotonic() + self.passed

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.shift += seconds
        self.passed += seconds

    def set_forward(self, seconds: float) -> None:
        """Set the clock, as a time server does; no time goes by."""
        self.shift += seconds

    def clock(self) -> Clock:
        """Return a clock that shows this time."""
        return Clock(wall=self.now, steady=self.steady)


def a_dispatch(index: int = 1, /, **changes: Any) -> Dispatch:  # noqa: ANN401 - fields of several types
    """Return a dispatch; `index` makes it another one with ids of its own."""
    values: dict[str, Any] = {
        "id": index * 10_000,
        "account": "casa",
        "text": TEXT,
        "encoding": Encoding.GSM7,
        "parts": 1,
        "created": 1_000_000.0 + index,
        "expires": 1_003_600.0 + index,
        "route": ("casa",),
    }
    values |= changes
    values.setdefault("due", values["created"])
    return Dispatch(**values)


def a_message(
    dispatch: Dispatch,
    index: int = 1,
    /,
    **changes: Any,  # noqa: ANN401 - fields of several types
) -> Message:
    """Return the dispatch's message of this index (from 1), waiting to be sent."""
    values: dict[str, Any] = {
        "id": dispatch.id + index,
        "dispatch": dispatch,
        "number": NUMBER,
        "recipient": None,
        "status": Status.QUEUED,
        "stage": Stage.WAITING,
        "updated": dispatch.created,
        "changed_at": dispatch.created,
        "parts": dispatch.parts,
        "attempt_at": dispatch.created,
    }
    return Message(**(values | changes))


_ALONE = """
import sys, types

root = sys.argv.pop(1)
sys.path.insert(0, root)
# The integration's own package would load the whole of Home Assistant.
package = types.ModuleType("custom_components.sms_italia")
package.__path__ = [f"{root}/custom_components/sms_italia"]
sys.modules[package.__name__] = package
"""


def python(program: str, *arguments: object) -> list[str]:
    """Return the command that runs a program in a process without Home Assistant."""
    code = _ALONE + textwrap.dedent(program)
    root = Path(__file__).parents[2]
    return [sys.executable, "-c", code, str(root), *map(str, arguments)]


def mark_of(ledger: Path) -> Path:
    """Return the file that no backup holds of a ledger."""
    return ledger.with_suffix(".mark")


def copy_as_a_backup(path: Path, to: Path) -> None:
    """Copy a ledger's files as they lie on the disk at this moment, but its mark."""
    to.parent.mkdir(exist_ok=True)
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{path}{suffix}", f"{to}{suffix}")
    journal = path.with_suffix(".journal")
    if journal.exists():
        shutil.copyfile(journal, to.with_suffix(".journal"))


def copy_as_after_a_crash(path: Path, to: Path) -> None:
    """Copy all of a ledger's files as they lie on the disk at this moment."""
    copy_as_a_backup(path, to)
    if mark_of(path).exists():
        shutil.copyfile(mark_of(path), mark_of(to))


@dataclass(slots=True, kw_only=True)
class Harness:
    """A messenger with accounts at fake providers, and what it reported.

    `clients` are the accounts' own, by the account's id; one stays the same when its
    account is attached again. `calls` is all that they were asked, oldest first.
    `statuses` are all the statuses that each message was reported to have, by its id.
    `expected` are the accounts that are going to be attached, if they are not.
    `members` are those of escalations.
    """

    folder: Path
    line: Line
    time: Time
    timing: Timing = TIMING
    ledger: Path
    messenger: Messenger
    troubles: list[LedgerTrouble | None]
    events: list[Event]
    statuses: dict[int, list[Status]]
    expected: set[str]
    members: dict[Member, MemberDetails]
    clients: dict[str, FakeClient]
    calls: list[Call]

    @classmethod
    def build(cls, folder: Path, clock: Time | None = None) -> Harness:
        """Return a harness whose messenger has no account yet."""
        clock = clock or Time()
        troubles, expected = list[LedgerTrouble | None](), set[str]()
        members = dict[Member, MemberDetails]()
        ledger = folder / "storage" / "sms.db"
        return cls(
            folder=folder,
            line=Line(),
            time=clock,
            ledger=ledger,
            messenger=Messenger(
                ledger,
                clock.clock(),
                TIMING,
                troubles.append,
                ledger_mark=mark_of(ledger),
                is_expected=expected.__contains__,
                find_member=members.get,
            ),
            troubles=troubles,
            events=[],
            statuses={},
            expected=expected,
            members=members,
            clients={},
            calls=[],
        )

    def use(self, *, timing: Timing | None = None, ledger: Path | None = None) -> None:
        """Take another messenger, as a new start of Home Assistant does."""
        self.timing = timing or self.timing
        self.ledger = ledger or self.ledger
        self.messenger = Messenger(
            self.ledger,
            self.time.clock(),
            self.timing,
            self.troubles.append,
            ledger_mark=mark_of(self.ledger),
            is_expected=self.expected.__contains__,
            find_member=self.members.get,
        )

    def client(self, account: str, key: str | None = None) -> FakeClient:
        """Return the client of an account, by default that with its provider's key."""
        if account not in self.clients:
            self.clients[account] = PRESETS[key or account](account, self.calls)
        return self.clients[account]

    def account(  # noqa: PLR0913 - an account's settings
        self,
        key: str,
        *,
        name: str | None = None,
        sender: str | None = SENDER,
        line: Line | None = None,
        refusing: ErrorKind | None = None,
        channel: Channel = Channel.SMS,
        callback_url: Callable[[str], str | None] = lambda _: None,
        **options: Any,  # noqa: ANN401 - options of several types
    ) -> Account:
        """Return an account; its id is its name, by default the provider's key.

        Its client talks over a line of its own that is up, or over `line`. All that it
        is to send is refused for the reason `refusing`.
        """
        id_ = name or key
        client = self.client(id_, key)
        client.line = line or Line()
        client.channel = channel
        if refusing is not None:
            client.refuse(refusing)
        return Account(
            id=id_,
            name=id_.title(),
            provider=fake_provider(key),
            client=client,
            sender=sender,
            options=AccountOptions(**options),
            recipients={},
            callback_url=callback_url,
            channel=channel,
        )

    async def attach(self, key: str, **details: Any) -> Account:  # noqa: ANN401 - as in `account`
        """Make an account, listen to it and take it in."""
        account = self.account(key, **details)
        self.messenger.events.listen(account.id, self._note)
        await self.messenger.attach(account)
        return account

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, MessagesChanged):
            for message in event.messages:
                known = self.statuses.setdefault(message.id, [])
                if not known or known[-1] is not message.status:
                    known.append(message.status)

    async def send(
        self,
        account: str,
        *to: str | Target | BadTarget,
        text: str = TEXT,
        encoding: TextEncoding | None = None,
        **options: Any,  # noqa: ANN401 - options of several types
    ) -> tuple[Message, ...]:
        """Send a text; what is given as a string is a number of its country."""
        if not to and "groups" not in options:
            to = (NUMBER,)
        return await self.messenger.send(
            a_request(account, *to, text=text, encoding=encoding, **options)
        )

    async def one(self, account: str, to: str = NUMBER, text: str = TEXT) -> Message:
        """Send a text to one number and return its message."""
        (message,) = await self.send(account, to, text=text)
        return message

    async def found(self, **query: Any) -> tuple[Message, ...]:  # noqa: ANN401 - fields of a query
        """Return messages as the ledger has them, oldest first."""
        found = await self.messenger.ledger.find(Query(limit=10_000, **query))
        return found.messages[::-1]

    async def latest(self, message: Message) -> Message:
        """Return a message as the ledger has it now."""
        (found,) = [one for one in await self.found() if one.id == message.id]
        return found

    async def until_kept(self, message: Message, **fields: object) -> Message:
        """Return a message when the ledger has it with these fields."""
        return await self._until(
            message,
            lambda one: all(getattr(one, name) == fields[name] for name in fields),
        )

    async def until_not(self, message: Message, *stages: Stage) -> Message:
        """Return a message when the ledger has it at none of these stages."""
        return await self._until(message, lambda one: one.stage not in stages)

    async def _until(
        self, message: Message, condition: Callable[[Message], bool]
    ) -> Message:
        async with asyncio.timeout(_PATIENCE):
            while not condition(found := await self.latest(message)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)
        return found

    def accepted(self, account: str) -> list[Arrived]:
        """Return all that an account's provider took, oldest first."""
        return self.client(account).accepted

    def arrived(self, account: str) -> list[tuple[str, str]]:
        """Return number and text of all that an account's provider took."""
        return [(one.to, one.text) for one in self.accepted(account)]

    def requests(self, account: str, of: Operation = Operation.SEND) -> int:
        """Return how many requests of a kind came to an account's provider."""
        return self.client(account).requests(of)


def a_request(
    account: str,
    *to: str | Target | BadTarget,
    text: str = TEXT,
    encoding: TextEncoding | None = None,
    **options: Any,  # noqa: ANN401 - options of several types
) -> SendRequest:
    """Return a request; a string is a number in E.164, Italian if it begins so."""
    return SendRequest(
        account=account,
        targets=tuple(
            Target(number=PhoneNumber(one, "IT" if one.startswith("+39") else "FR"))
            if isinstance(one, str)
            else one
            for one in to
        ),
        text=text,
        options=SendOptions(encoding=encoding, **options),
    )
