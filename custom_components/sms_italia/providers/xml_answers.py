"""Answers in XML, parsed into the same values as those in JSON.

The parser is the interpreter's own expat with every document type refused, which is
what keeps entities from being declared, and so from growing or reading files. The
package defusedxml does the same, but had its last release in 2021, supports Python up
to 3.9 and takes a module of the interpreter out of its place while it is imported.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Never
from xml.parsers import expat

from .decoding import Json
from .errors import OutcomeUnknownError
from .transport import Answer

_MAX_DEPTH = 16
"""No answer of a provider is nested deeper."""


class _TooMuchError(Exception):
    """The document has what no answer needs."""


class _Reader:
    """Collects a document: leaves are strings, empty ones None, the rest objects.

    An element that occurs more than once in its parent becomes a list.
    """

    def __init__(self) -> None:
        self.root: Json = None
        self._open: list[tuple[dict[str, Json], list[str]]] = [({}, [])]
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self, body: bytes) -> Json:
        """Return the content of the root element."""
        self._parser.Parse(body, True)  # noqa: FBT003 - how expat wants it
        return self.root

    def _refuse(self, *_details: object) -> Never:
        raise _TooMuchError

    def _start(self, _name: str, _attributes: object) -> None:
        if len(self._open) > _MAX_DEPTH:
            raise _TooMuchError
        self._open.append(({}, []))

    def _text(self, text: str) -> None:
        self._open[-1][1].append(text)

    def _end(self, name: str) -> None:
        children, texts = self._open.pop()
        value: Json = children or "".join(texts).strip() or None
        if len(self._open) == 1:
            self.root = value
            return
        beside = self._open[-1][0]
        if name not in beside:
            beside[name] = value
            return
        known = beside[name]
        if isinstance(known, list):
            known.append(value)
        else:
            beside[name] = [known, value]


def is_xml(answer: Answer) -> bool:
    """Return whether the answer is XML by its content type."""
    kind = answer.content_type.lower()
    return kind in {"application/xml", "text/xml"} or kind.endswith("+xml")


def decode(answer: Answer) -> Json:
    """Return the value of an answer: XML by its content type, else JSON.

    From XML, numbers and booleans come as strings, which the parsers take.
    Raises OutcomeUnknownError if it is neither.
    """
    if not is_xml(answer):
        return answer.json()
    with suppress(expat.ExpatError, _TooMuchError, ValueError, LookupError):
        return _Reader().read(answer.body)
    raise OutcomeUnknownError("unreadable_answer")


def rows_of(answer: Answer, body: Mapping[str, Json], name: str) -> list[Json] | None:
    """Return the rows that an answer's body has under a name, None if it has no list.

    XML has no lists: one is there the element with the name itself, repeated, or the
    children of that element (`<deliveries><delivery/></deliveries>`); an empty
    element is an empty list.
    """
    value = body.get(name)
    if isinstance(value, list):
        return value
    if name not in body or not is_xml(answer):
        return None
    match value:
        case None:
            return []
        case dict() if len(value) == 1:
            (inside,) = value.values()
            return inside if isinstance(inside, list) else [inside]
        case dict():
            return [value]
        case _:
            return None
