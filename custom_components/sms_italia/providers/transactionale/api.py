"""Transactionale: credentials, and what an answer says as a whole.

Facts: docs/development/provider-apis/transactionale.md 3.1 and 3.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..decoding import Json, salvage_id
from ..errors import NotAcceptedError, OutcomeUnknownError
from ..http_status import Origin, Purpose, refuse_http_error
from ..model import ErrorKind
from ..parsing import as_code, as_identifier, as_message_id, as_object
from ..transport import Answer

FIELDS: Mapping[str, ErrorKind] = MappingProxyType(
    {
        "phone": ErrorKind.RECIPIENT,
        "sender_id": ErrorKind.SENDER,
        "body": ErrorKind.TEXT,
        "webhook_url": ErrorKind.REFUSED,
        "receive_dlr": ErrorKind.REFUSED,
    }
)
"""The kind of a refused field; of several, the first here counts."""

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "phone": "phone",
        "sender_id": "sender",
        "body": "body",
        "webhook_url": "webhook",
        "receive_dlr": "dlr",
    }
)
"""The word by which a sentence names a field, where no key does."""

_MOST_ERRORS = 100
"""How many values of a validation error are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The API key."""

    api_key: str = field(repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of every request; no scheme word stands before the key."""
        return {"Authorization": self.api_key, "Accept": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its JSON object, whose words it is, and an ID in it."""

    body: Mapping[str, Json] = field(repr=False)
    origin: Origin
    provider_id: str | None = field(repr=False)

    @property
    def names_a_field(self) -> bool:
        """Whether a key of a validation error is a field of a message."""
        errors = as_object(self.body.get("errors")) or self.body
        return any(errors.get(name) for name in FIELDS)

    @property
    def refused_fields(self) -> frozenset[str]:
        """The fields that a validation error names.

        The provider documents both `{"errors": {field: [...]}}` and `{field: [...]}`
        with sentences; a sentence alone and deeper nesting are read too.
        """
        if errors := self.body.get("errors"):
            return _fields_in(errors)
        named = {
            name: value
            for name, value in self.body.items()
            if name in FIELDS or isinstance(value, list)
        }
        return _fields_in(named)


def read(answer: Answer) -> Reply:
    """Return an answer with the origin of its words, whatever its status.

    The provider's own format: docs/development/provider-apis/common.md 9.
    """
    try:
        body = as_object(answer.json())
    except OutcomeUnknownError:
        body = {}
    is_own = (
        "id" in body
        or "errors" in body
        or {"message", "status_code"} <= body.keys()
        or bool(FIELDS.keys() & body.keys())
    )
    if not is_own:
        found = find_id(answer.text())
        return Reply(body=body, origin=Origin.FOREIGN, provider_id=found)
    provider_id = as_identifier(body.get("id"))
    return Reply(
        body=body,
        origin=Origin.OWN,
        provider_id=None if provider_id == "0" else provider_id,
    )


def find_id(text: str) -> str | None:
    """Return the ID of a message in what cannot be read."""
    return as_message_id(salvage_id(text, "id"))


def refuse(answer: Answer, reply: Reply, purpose: Purpose) -> None:
    """Raise what a status code proves, with the fields that the provider names."""
    try:
        refuse_http_error(answer, reply.origin, purpose)
    except NotAcceptedError as err:
        named = reply.refused_fields
        is_own = reply.origin is Origin.OWN
        if err.kind is not ErrorKind.REFUSED or not named or not is_own:
            raise
        known = [name for name in FIELDS if name in named]
        codes = known or sorted(filter(None, map(as_code, named)))
        raise NotAcceptedError(
            FIELDS[known[0]] if known else ErrorKind.REFUSED,
            ",".join(codes[:5]) or err.detail,
            retry_after=err.retry_after,
        ) from None


def _fields_in(errors: Json) -> frozenset[str]:
    """Return the fields that errors name: by keys, else by their sentences.

    Keys that are no fields of a message are returned only where nothing else is named.
    """
    fields: set[str] = set()
    keys: list[str] = []
    sentences: list[str] = []
    waiting = [errors]
    for value in waiting:
        match value:
            case dict() if named := {name for name in FIELDS if value.get(name)}:
                fields |= named
            case dict():
                keys += value
                waiting += list(value.values())[:_MOST_ERRORS]
            case list():
                waiting += value[:_MOST_ERRORS]
            case str():
                sentences.append(value)
            case _:
                pass
        del waiting[_MOST_ERRORS:]
    if fields:
        return frozenset(fields)
    text = " ".join([*keys, *sentences]).lower()
    fields = {name for name, word in _WORDS.items() if word in text}
    if not fields and "number" in text:
        fields = {"phone"}
    return frozenset(fields or keys)
