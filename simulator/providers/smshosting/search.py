"""The search for sent messages (docs/development/provider-apis/smshosting.md 2.4).

Not published, so chosen here: `limit` is at most 1000, `count` is the number of all
matches, the oldest come first, and an id that does not exist is left out.
"""

from collections.abc import Callable
from datetime import datetime

from ...addresses import e164, is_digits
from ...exchange import Answer, Call, Endpoint, json_answer
from ...model import Channel, Json, Message, Operation
from ...store import Store
from .common import BASE, KEY, check_login, describe, read_date, refuse

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000

_STATUSES = {"PENDING", "SENT", "NOSENT", "DELIVERED", "NOTDELIVERED"}
_FILTERS = ("id", "transactionId", "msisdn", "fromDate", "status")


class SmshostingSearch:
    """GET /sms/search over a store."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the one endpoint."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/sms/search",
                operation=Operation.STATUS,
                handler=self._search,
            ),
        )

    def _search(self, call: Call) -> Answer:
        """List the SMS that match."""
        check_login(self._store, call)
        found = [
            message
            for message in matching(self._store, call)
            if message.channel is Channel.SMS
        ]
        return page(call, found, describe)


def matching(store: Store, call: Call) -> list[Message]:
    """Return the messages that match all filters of the call."""
    if not any(call.text(name) for name in _FILTERS):
        refuse("NO_PARAMS")
    found = _candidates(store, call)
    if reference := call.text("transactionId"):
        found = [item for item in found if item.reference == reference]
    if msisdn := call.text("msisdn"):
        if (number := e164(msisdn)) is None:
            refuse("BAD_MSISDN")
        found = [item for item in found if item.to == number]
    if status := call.text("status"):
        if status not in _STATUSES:
            refuse("BAD_STATUS")
        found = [item for item in found if describe(item)["status"] == status]
    first, last = _date(call, "fromDate"), _date(call, "toDate")
    return [
        item
        for item in found
        if (first is None or item.created >= first)
        and (last is None or item.created <= last)
    ]


def page(
    call: Call, found: list[Message], shown: Callable[[Message], dict[str, Json]]
) -> Answer:
    """Answer with the messages of the page that the call asks for, each as `shown`."""
    offset = call.text("offset") or "0"
    limit = call.text("limit") or str(DEFAULT_LIMIT)
    if not is_digits(offset) or not is_digits(limit):
        refuse("GENERIC_ERROR")
    start, size = int(offset), min(int(limit), MAX_LIMIT)
    listed: list[Json] = [shown(message) for message in found[start : start + size]]
    return json_answer(
        {
            "metadata": {"count": len(found), "offset": start, "limit": size},
            "smsList": listed,
        }
    )


def _candidates(store: Store, call: Call) -> list[Message]:
    """Return the messages of a filter that has an index, else all."""
    if ids := call.text("id"):
        found = []
        for message_id in ids.split(","):
            if not is_digits(message_id.strip()):
                refuse("BAD_ID")
            message = store.message(message_id.strip())
            if message is not None and message.provider == KEY:
                found.append(message)
        return found
    if reference := call.text("transactionId"):
        return store.by_reference(KEY, reference)
    if number := e164(call.text("msisdn")):
        return store.by_number(KEY, number)
    return store.by_provider(KEY)


def _date(call: Call, name: str) -> datetime | None:
    """Return a date filter; None if it is absent."""
    value = call.text(name)
    return read_date(value) if value else None
