"""Several texts to one number as few: each of them whole, and all in their order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..model import TextEncoding
from .text import PreparedText, prepare_text


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedText:
    """One text that stands for `count` others; one that stands alone is as it was."""

    count: int
    prepared: PreparedText


def join_texts(
    texts: Sequence[str], heading: Callable[[int], str], most_parts: int
) -> Iterator[JoinedText]:
    """Go over the texts to send for prepared texts, of at most `most_parts` parts.

    Below a heading, which says how many they are, each has a line. Those that do not
    fit go into the next one. None takes more parts than its texts would have by
    themselves: the heading is left out where it would cost a part. A text that is too
    long by itself stays as it is.
    """
    begin = 0
    while begin < len(texts):
        joined = _longest(texts[begin:], heading, most_parts)
        yield joined
        begin += joined.count


def _longest(
    texts: Sequence[str], heading: Callable[[int], str], most_parts: int
) -> JoinedText:
    """Return the first texts as one, as many as fit."""
    prepared = _prepared(texts[0])
    lines = [_line(texts[0])]
    alone = most = prepared.parts
    for text in texts[1:]:
        alone += _prepared(text).parts
        longer = _prepared("\n".join([*lines, _line(text)]))
        if longer.parts > min(alone, most_parts):
            break
        prepared, most = longer, min(alone, most_parts)
        lines.append(_line(text))
    if len(lines) > 1:
        headed = _prepared("\n".join([heading(len(lines)), *lines]))
        prepared = headed if headed.parts <= most else prepared
    return JoinedText(count=len(lines), prepared=prepared)


def _prepared(text: str) -> PreparedText:
    """Return a text that was prepared before, with its parts counted."""
    return prepare_text(text, TextEncoding.UNICODE)


def _line(text: str) -> str:
    return " ".join(text.split())
