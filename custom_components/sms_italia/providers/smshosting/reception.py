"""Smshosting: the search for SMS that came in.

Facts: docs/development/provider-apis/common.md 10.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
import json
from math import inf
import re

from ..decoding import Json
from ..errors import NotAcceptedError, OutcomeUnknownError, ProviderError
from ..http_status import Purpose
from ..model import ErrorKind, Incoming
from ..parsing import as_count, as_identifier, as_moment, as_number, as_object
from .api import Api, accepted_list, accepted_object

_PAGE = 100
"""Rows asked for at once."""
_MOST = 10_000
"""Rows of a search at most."""

_KEYS_KEPT = 3600
"""Seconds for which the keys of shared numbers are known."""

_SHAPE = frozenset({"smsList", "metadata"})
"""Fields of the documented answer."""

_NUMBER = re.compile(r"\+?[0-9]{5,16}")
"""A sender that is no name and no short code with letters."""

type _Row = Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class Reception:
    """Searches for SMS that came in; its methods raise ProviderError."""

    api: Api
    _keys: frozenset[str] = field(default=frozenset(), init=False)
    _keys_until: float = field(default=-inf, init=False)

    async def _known_keys(self) -> frozenset[str]:
        """Return the keys, which are asked for once an hour.

        Without them, a text would be taken for another one. Those of before are used
        while the provider does not answer.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._keys_until:
            try:
                self._keys = await self._list_keys()
            except ProviderError:
                if self._keys_until == -inf:
                    raise
            self._keys_until = now + _KEYS_KEPT
        return self._keys

    async def _list_keys(self) -> frozenset[str]:
        """Return the keys that stand before the SMS to shared numbers, in lower case.

        None at all if the account may not list its numbers.
        """
        answer = await self.api.get("sms/received/sim/list")
        try:
            rows = accepted_list(answer, Purpose.QUESTION)
        except NotAcceptedError as err:
            if err.kind is ErrorKind.REFUSED:
                return frozenset()
            raise
        keys = (as_identifier(as_object(row).get("key")) for row in rows)
        return frozenset(key.casefold() for key in keys if key)

    async def since(self, moment: datetime) -> list[Incoming]:
        """Return all SMS that came in since a moment.

        Raises OutcomeUnknownError if the list is not whole or changed meanwhile: a row
        that moved to the next page would be counted twice.
        """
        keys = await self._known_keys()
        query = {"fromDate": f"{moment:%Y-%m-%dT%H:%M:%S%z}", "limit": str(_PAGE)}
        rows, total = await self._page(query)
        page = rows
        while page and len(rows) != total:
            page, count = await self._page({**query, "offset": str(len(rows))})
            if count != total or (page and total is None):
                raise OutcomeUnknownError("rows_moved")
            rows += page
            if len(rows) > _MOST:
                raise OutcomeUnknownError("too_many_rows")
        if total not in {None, len(rows)}:
            raise OutcomeUnknownError("rows_missing")
        return [_incoming(row, keys) for row in rows]

    async def _page(self, query: Mapping[str, str]) -> tuple[list[_Row], int | None]:
        """Return a page of rows and how many there are in all, None if not known."""
        answer = await self.api.get("sms/received/search", query)
        body = accepted_object(answer, Purpose.QUESTION, _SHAPE)
        rows = body.get("smsList")
        if not isinstance(rows, list):
            raise OutcomeUnknownError("no_list")
        count = as_count(as_object(body.get("metadata")).get("count"))
        return [as_object(row) for row in rows], count


def _incoming(row: _Row, keys: frozenset[str]) -> Incoming:
    """Return the SMS of a row; what cannot be read of it is left open."""
    sender, text = as_identifier(row.get("from")) or "", row.get("text")
    is_number = _NUMBER.fullmatch(sender) is not None
    number = as_number(sender) if is_number else None
    text = text if isinstance(text, str) else ""
    identity = (
        as_identifier(row.get("simId")),
        number or sender,
        as_identifier(row.get("receiveDate")),
        text,
    )
    return Incoming(
        key=_digest(identity),
        number=number,
        text=_without_key(text, keys),
        at=as_moment(row.get("receiveDate")),
    )


def _digest(identity: Sequence[str | None]) -> str:
    """Return a name of a row that does not show its number or its text."""
    return sha256(json.dumps(identity).encode()).hexdigest()[:32]


def _without_key(text: str, keys: frozenset[str]) -> str:
    """Return a text without the key of a shared number, if it begins with one."""
    first, _, rest = text.strip().partition(" ")
    return rest.strip() if first.casefold() in keys else text
