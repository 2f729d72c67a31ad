"""SMS that come in (docs/development/provider-apis/common.md 10).

Not published, so chosen here: `limit` is at most 100; a list that the account may not
ask for is empty.
"""

from ...addresses import e164, is_digits
from ...exchange import Answer, Call, DeliveryReport, Endpoint, json_answer
from ...model import Incoming, Json, Operation
from ...store import Account, Store
from .common import BASE, KEY, check_login, moment, read_date, refuse

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

_FILTERS = ("from", "simIdRef", "fromDate", "toDate")
_SIM_ID = 71


class SmshostingReception:
    """The numbers that receive, and the search, over a store."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return both endpoints."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/sms/received/sim/list",
                operation=Operation.OTHER,
                handler=self._numbers,
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/sms/received/search",
                operation=Operation.OTHER,
                handler=self._search,
            ),
        )

    def _numbers(self, call: Call) -> Answer:
        """List the numbers that receive SMS: none until the account has bought one."""
        account = check_login(self._store, call)
        if account.reception_number is None:
            return json_answer([])
        row: dict[str, Json] = {
            "id": str(_SIM_ID),
            "sim": account.reception_number[1:],
            "expirationDate": "2036-12-31T23:59:59+0100",
        }
        if account.reception_key is not None:
            row["key"] = account.reception_key
        return json_answer([row])

    def _search(self, call: Call) -> Answer:
        """List the SMS that match, newest first."""
        check_login(self._store, call)
        if not any(call.text(name) for name in _FILTERS):
            refuse("NO_PARAMS")
        found = [one for one in self._store.incoming if _matches(one, call)][::-1]
        offset = call.text("offset") or "0"
        limit = call.text("limit") or str(DEFAULT_LIMIT)
        if not is_digits(offset) or not is_digits(limit):
            refuse("GENERIC_ERROR")
        start, size = int(offset), min(int(limit), MAX_LIMIT)
        rows: list[Json] = [_row(one) for one in found[start : start + size]]
        return json_answer(
            {
                "metadata": {"count": len(found), "offset": start, "limit": size},
                "smsList": rows,
            }
        )


def push(account: Account, incoming: Incoming) -> DeliveryReport | None:
    """Return the call to the address in the panel, without the key of a shared number.

    None if there is no such address. It has no time and no signature.
    """
    if account.reception_url is None:
        return None
    text = incoming.text
    if account.reception_key is not None:
        text = text.removeprefix(account.reception_key).strip()
    return DeliveryReport(
        method="GET",
        url=account.reception_url,
        encoding="query",
        payload={"number": incoming.sender.removeprefix("+"), "text": text},
    )


def _matches(incoming: Incoming, call: Call) -> bool:
    """Return whether an SMS is what a call asks for."""
    if incoming.provider != KEY:
        return False
    if (sim := call.text("simIdRef")) and sim != str(_SIM_ID):
        return False
    senders = [e164(one) for one in call.text("from").split(",") if one]
    if senders and incoming.sender not in senders:
        return False
    first, last = call.text("fromDate"), call.text("toDate")
    received = incoming.received.replace(microsecond=0)
    return (not first or received >= read_date(first)) and (
        not last or received <= read_date(last)
    )


def _row(incoming: Incoming) -> dict[str, Json]:
    """Return an SMS as the search shows it."""
    return {
        "from": incoming.sender,
        "text": incoming.text,
        "receiveDate": moment(incoming.received),
        "simId": _SIM_ID,
    }
