"""What a provider documents, as data: the source of docs/providers.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .model import ErrorKind, Status


class FactKind(StrEnum):
    """What kind of thing is documented."""

    PARAMETER = "parameter"
    ANSWER = "answer field"
    ERROR = "error"
    STATUS = "status"


class Source(StrEnum):
    """How sure a fact is, surest first."""

    PAGE = "page"
    """The provider's page that this client was written from."""
    OFFICIAL = "official"
    """Other documentation or code that the provider publishes."""
    HINT = "hint"
    """Somebody else's client, or another panel that runs the same software."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that a provider documents, where, and how it is used here.

    `where` is the request ("POST /sms/send"), or a callback.
    """

    kind: FactKind
    where: str
    name: str
    use: str
    source: Source = Source.PAGE


def facts(
    kind: FactKind,
    where: str,
    uses: Mapping[str, str],
    source: Source = Source.PAGE,
) -> Iterator[Fact]:
    """Yield a fact for each name with its use."""
    for name, use in uses.items():
        yield Fact(kind=kind, where=where, name=name, use=use, source=source)


def meaning(word: ErrorKind | Status | None) -> str:
    """Return what an error or a status of the provider becomes here."""
    match word:
        case ErrorKind():
            return f"not sent: {word}"
        case Status():
            return word.value
        case None:
            return "claims nothing; asked again later"
