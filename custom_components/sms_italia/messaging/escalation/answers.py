"""Which SMS acknowledge a run."""

import unicodedata

from .model import Member, Run

_WORDS = frozenset({"ok", "ricevuto", "si", "sì", "yes"})
"""An answer consists of these alone: an automatic reply must not silence an alarm."""


def says_yes(text: str) -> bool:
    """Return whether a text says that its sender takes care of it."""
    letters = "".join(
        one
        for one in unicodedata.normalize("NFC", text).casefold()
        if one.isspace() or unicodedata.category(one)[0] in "LN"
    )
    words = letters.split()
    return bool(words) and _WORDS.issuperset(words)


def answering(run: Run, number: str, read_until: float) -> Member | None:
    """Return the member who answers a run from a number, None if none does.

    A message to that number must have been accepted at `read_until` (steady time) or
    before.
    """
    for call in run.calls:
        for copy in call.copies:
            for id_, message in copy.messages.items():
                if message.number == number and copy.was_accepted(id_, read_until):
                    return call.member
    return None
