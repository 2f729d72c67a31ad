"""The page for users about what is guaranteed, made of the fault matrix."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from custom_components.sms_italia.providers import PROVIDERS, ErrorKind
from simulator import Fault

from .matrix import (
    LOGIN_PROVED,
    TROUBLES,
    CheckCell,
    Matrix,
    Result,
    SendCell,
    StatusCell,
    Table,
    Trouble,
    Unreachable,
)

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

_TROUBLES: Mapping[Trouble, str] = {
    Unreachable.NO_CONNECTION: "The provider is out of reach",
    Fault.CUT_BEFORE_ACCEPT: "The connection breaks before the provider works on it",
    Fault.CUT_AFTER_ACCEPT: "The connection breaks after the provider did it",
    Fault.HANG_BEFORE_ACCEPT: "No answer in time, and the provider did nothing",
    Fault.HANG_AFTER_ACCEPT: "No answer in time, but the provider did it",
    Fault.THROTTLED: "HTTP 429 that asks to wait 7 seconds",
    Fault.THROTTLED_BARE: "HTTP 429",
    Fault.SERVER_ERROR_EMPTY: "HTTP 500, nothing done",
    Fault.SERVER_ERROR_BODY: "HTTP 503 with a web page, nothing done",
    Fault.SERVER_ERROR_AFTER_ACCEPT: "HTTP 500, but it was done",
    Fault.HTML: "HTTP 200 with a web page, nothing done",
    Fault.TRUNCATED_JSON: "The answer is cut off",
    Fault.WRONG_TYPES: "Every value in the answer has a wrong type",
    Fault.HUGE_BODY: "The answer is 8 MiB long",
    Fault.BAD_ENCODING: "There are bytes in the answer that are no text",
    Fault.REDIRECT: "A redirect to another address",
    Fault.TO_HTTPS: "A redirect from http to https of the same address",
    Fault.DEEP_JSON: "The answer is nested 100,000 deep",
}

_INTRODUCTION = """\
# Reliability

What happens to an SMS when something goes wrong, for each provider.

This page is written by `script/reliability` from a run of the fault matrix: the real
clients, the real message queue and a real ledger file, over real connections to
simulated providers that produce every fault on purpose. A test fails when the page and
the run differ.

## What you can rely on

- **Never sent twice by itself.** A text that may have been sent is not sent again,
  whatever happened to the answer. Only the option "Send again when uncertain"
  changes that.
- **Never lost silently.** What could not be sent waits and is tried again until the
  time that you chose is over. Every message has one of six statuses: `queued`, `sent`,
  `delivered`, `failed`, `expired`, `uncertain`. If none of an action's messages is sent
  or waiting when it ends, the action fails with the reason; the account's event and
  sensors report the status of each message.
- **Never called lost when it was sent.** `failed` and `expired` are only what was
  certainly not sent, or what the provider itself reports so.
- **A restart changes nothing.** Also one without warning, as in a power cut: what was
  waiting is still waiting, and what was being sent at that moment becomes `uncertain`.

`uncertain` means that the message may have been sent, and it is not known whether it
was. Smshosting can be asked later whether it arrived, so there the doubt ends: it is
followed if it arrived, and sent if it did not. The others can be asked only if an ID
arrived in spite of it.
"""

_SENDING = """\
## Sending

One message is sent, and the fault happens once. Before the arrow is the status that
the action answers, after it the final one; then how many sending requests the provider
received in all, and how many SMS it accepted.
"""

_STATUS = """\
## Asking for the status of a message

The message was accepted, and the fault happens to the first question about it. The
question is repeated and the message never sent again: every message here ends as
`delivered`, after one sending request and one SMS. The table shows the result of the
first question.
"""

_CHECK = """\
## Asking about the account

Once an hour the credit is asked for, where the provider has it; else the login is
checked. The fault happens to one such question; the next one has none. It never sends
an SMS. The table shows the result of the question with the fault.
"""


def page(matrix: Matrix) -> str:
    """Return the page in Markdown, up to what is measured."""
    return "\n".join((_INTRODUCTION, *tables(matrix)))


def tables(matrix: Matrix) -> Iterator[str]:
    """Yield the lines of the page's tables, each after its introduction."""
    yield _SENDING
    yield from _table(matrix.sends, _send_words)
    yield ""
    yield _STATUS
    yield from _table(matrix.statuses, _status_words)
    yield ""
    yield _CHECK
    yield from _table(matrix.checks, _check_words)
    yield ""


def write(matrix: Matrix, measured: str) -> None:
    """Write the page, with the sections of what was measured at its end."""
    PAGE.write_text("\n".join((page(matrix), measured)), "utf-8")


def _table[Cell](table: Table[Cell], words: Callable[[Cell], str]) -> Iterator[str]:
    """Yield the lines of a table: the providers are its columns."""
    names = [PROVIDERS[provider].name for provider in PROVIDERS]
    yield f"| What goes wrong | {' | '.join(names)} |"
    yield f"| --- |{' --- |' * len(names)}"
    for trouble in TROUBLES:
        cells = [words(table[provider, trouble]) for provider in PROVIDERS]
        yield f"| {_TROUBLES[trouble]} | {' | '.join(cells)} |"


def _send_words(cell: SendCell) -> str:
    """Return the outcome of a send in few words."""
    if cell.status is cell.final_status:
        way = f"{cell.status}"
    else:
        way = f"{cell.status} → {cell.final_status}"
    requests = "request" if cell.final_requests == 1 else "requests"
    return f"{way}; {cell.final_requests} {requests}, {cell.final_accepted} SMS"


def _status_words(cell: StatusCell) -> str:
    """Return the result of a question about a message."""
    return _words(cell.result)


def _check_words(cell: CheckCell) -> str:
    """Return the result of a question about the account."""
    if cell.credit is None:
        return _words(cell.result)
    return "the login is good" if cell.credit == LOGIN_PROVED else "the credit"


def _words(result: ErrorKind | Result) -> str:
    """Return the result of a question in few words."""
    match result:
        case Result.ANSWER:
            return "the status"
        case Result.NOTHING:
            return "nothing"
        case ErrorKind.THROTTLED:
            return "to wait"
        case ErrorKind.UNAVAILABLE:
            return "not reached"
        case ErrorKind():
            return "refused"
