"""Documents in XML, parsed into the same values as those in JSON.

The parser is the interpreter's own expat. It gets the root element alone, so that no
document type can stand before it: without one no entity can be declared, and so none
can grow or read files. The package defusedxml refuses them as well, but had its last
release in 2021, supports Python up to 3.9 and takes a module of the interpreter out of
its place while it is imported.
"""

from collections.abc import Mapping
import re
from xml.parsers import expat

from .decoding import Json, may_surround

_MAX_DEPTH = 16
"""No answer of a provider is nested deeper."""

_DECLARATION = re.compile(r"<\?xml[^<>]{0,200}\?>")


class _Reader:
    """Collects a document: leaves are strings, empty ones None, the rest objects.

    An element that occurs more than once in its parent becomes a list.
    """

    def __init__(self) -> None:
        self.root: Json = None
        self._open: list[tuple[dict[str, Json], list[str]]] = [({}, [])]
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self, document: str) -> Json:
        """Return the content of the root element."""
        self._parser.Parse(document, True)  # noqa: FBT003 - how expat wants it
        return self.root

    def _start(self, _name: str, _attributes: object) -> None:
        if len(self._open) > _MAX_DEPTH:
            raise ValueError("too deep")
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


def decode_xml(text: str, root: str) -> Json:
    """Return the content of the element `root`, which must be all that a text has.

    Numbers and booleans come as strings, which the parsers take. What may stand around
    JSON may stand around the element as well, and a declaration before it. Raises
    ValueError if there is no such element, or if it is no plain XML.
    """
    start, end = text.find(f"<{root}"), text.rfind(f"</{root}>")
    if not 0 <= start < end:
        raise ValueError("no XML")
    end += len(f"</{root}>")
    if not begins_as_xml(text, root) or not may_surround("", text[end:]):
        raise ValueError("a web page")
    try:
        return _Reader().read(text[start:end])
    except expat.ExpatError:
        raise ValueError("no XML") from None


def begins_as_xml(text: str, root: str) -> bool:
    """Return whether a text begins as the element `root`, whole or broken."""
    start = text.find(f"<{root}")
    return start >= 0 and may_surround(_DECLARATION.sub("", text[:start]), "")


def rows_in(body: Mapping[str, Json], name: str) -> list[Json] | None:
    """Return the rows that a document has under a name, None if it has no list.

    XML has no lists: one is there the element with the name itself, repeated, or the
    children of that element (`<deliveries><delivery/></deliveries>`); an empty
    element is an empty list.
    """
    value = body.get(name)
    match value:
        case list():
            return value
        case None:
            return [] if name in body else None
        case dict() if len(value) == 1:
            (inside,) = value.values()
            return inside if isinstance(inside, list) else [inside]
        case dict():
            return [value]
        case _:
            return None
