"""Transactionale, JSON (docs/development/provider-apis/transactionale.md 3.2).

Not published, so chosen here: 404 for an id that does not exist, 402 without
credit (both in the shape of the 401), at most 10 parts a text, `sender_id` is
required, and the status of an expired message is "failed".
"""

from datetime import datetime
from decimal import Decimal
import re
from urllib.parse import urlsplit

from ..addresses import e164, is_digits
from ..exchange import (
    Answer,
    Call,
    DeliveryReport,
    Endpoint,
    RefusedError,
    json_answer,
)
from ..model import Json, Message, Operation, Status, Toggle
from ..parts import count_parts
from ..provider import Provider, SendCall, SendFields
from ..store import Account, Store

KEY = "transactionale"
MAX_PARTS = 10
MAX_SENDER = 11
MAX_DIGITS = 15
RESENDS = 3
"""How often a report is sent again after an answer of 500 or more."""

_PATH = "/platform/api/sms/send"
_DLR = {"default", "always", "on_error", "off"}
_COUNTRIES = {
    "39": "IT",
    "33": "FR",
    "34": "ES",
    "41": "CH",
    "43": "AT",
    "44": "GB",
    "49": "DE",
    "378": "SM",
    "1": "US",
}


def _http_error(status: int, text: str) -> RefusedError:
    """Return a refusal in the shape of the documented 401."""
    body: Json = {"message": f"{status} {text}", "status_code": status}
    return RefusedError(json_answer(body, status))


class Transactionale:
    """The provider's endpoints over a store."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path that it answers."""
        return (
            Endpoint(
                method="POST",
                path=_PATH,
                operation=Operation.SEND,
                handler=self._send,
            ),
            Endpoint(
                method="GET",
                path=f"{_PATH}/{{id}}",
                operation=Operation.STATUS,
                handler=self._read,
            ),
        )

    def delivery_report(self, message: Message) -> DeliveryReport | None:
        """Return the documented delivery report, by the rules of receive_dlr."""
        account = self._store.accounts[KEY]
        url = message.callback or account.webhook_url
        rule = message.extra["receive_dlr"]
        if rule == "default":
            rule = account.receive_dlr
        if url is None or rule == "off":
            return None
        if rule == "on_error" and message.status is Status.DELIVERED:
            return None
        return DeliveryReport(
            method="POST",
            url=url,
            encoding="json",
            payload={
                "sms_id": int(message.id),
                "phone": message.to[1:],
                "send_time": _moment(message.sent or message.created),
                "status_time": _moment(message.changed),
                "status": message.word or message.status.value,
            },
            resends=RESENDS,
        )

    def _check_key(self, call: Call) -> None:
        """Refuse a wrong key; the header has the key alone, without a scheme."""
        wanted = self._store.accounts[KEY].credentials["api_key"]
        if call.headers.get("Authorization") != wanted:
            raise _http_error(401, "Unauthorized")

    def _send(self, call: Call) -> Answer:
        """Send one text to one number."""
        self._check_key(call)
        errors = self._errors(call)
        if errors:
            account = self._store.accounts[KEY]
            nested = Toggle.NESTED_ERRORS in account.toggles
            return json_answer({"errors": errors} if nested else errors, 400)
        body = call.text("body")
        parts = count_parts(body)
        if not self._store.accounts[KEY].can_pay(parts):
            raise _http_error(402, "Payment Required")
        message = self._store.accept(
            KEY,
            to=f"+{call.text('phone')}",
            text=body,
            sender=call.text("sender_id"),
            parts=parts,
            callback=call.text("webhook_url") or None,
            extra={"receive_dlr": call.text("receive_dlr") or "default"},
        )
        return json_answer(self._describe(message, call), 201)

    def _read(self, call: Call) -> Answer:
        """Return a message with its status."""
        self._check_key(call)
        message = self._store.message(call.tail)
        if message is None or message.provider != KEY:
            raise _http_error(404, "Not Found")
        return json_answer(self._describe(message, call))

    def _errors(self, call: Call) -> dict[str, Json]:
        """Return the errors of each field of a send."""
        checks = {
            "phone": self._phone_errors(call),
            "sender_id": self._sender_errors(call),
            "body": self._body_errors(call),
            "webhook_url": _url_errors(call),
            "receive_dlr": _dlr_errors(call),
        }
        return {name: list(found) for name, found in checks.items() if found}

    def _phone_errors(self, call: Call) -> list[str]:
        """Return the errors of the number."""
        phone = call.fields.get("phone")
        if not isinstance(phone, str) or not phone:
            return ["The phone field is required."]
        if not is_digits(phone):
            return ["The phone format is invalid."]
        if len(phone) > MAX_DIGITS:
            return ["Number is too long"]
        number = e164(phone)
        if number is None or number in self._store.accounts[KEY].blocked:
            return ["The phone format is invalid."]
        if _country(phone) is None:
            return ["The country is not served."]
        return []

    def _sender_errors(self, call: Call) -> list[str]:
        """Return the errors of the sender."""
        sender = call.fields.get("sender_id")
        if not isinstance(sender, str) or not sender:
            return ["The sender id field is required."]
        found = []
        if len(sender) > MAX_SENDER:
            found.append("The sender id may not be greater than 11 characters.")
        if bad := re.sub(r"[A-Za-z0-9. ]", "", sender):
            found.append(f"Sender ID contains invalid chars: {bad}")
        return found

    def _body_errors(self, call: Call) -> list[str]:
        """Return the errors of the text."""
        body = call.fields.get("body")
        if not isinstance(body, str) or not body:
            return ["The body field is required."]
        if count_parts(body) > MAX_PARTS:
            return ["The body is too long."]
        return []

    def _describe(self, message: Message, call: Call) -> Json:
        """Return the message as the provider shows it."""
        match message.status:
            case Status.DELIVERED:
                delivery = "delivered"
            case Status.FAILED | Status.EXPIRED:
                delivery = "failed"
            case Status.QUEUED | Status.SENT:
                delivery = "unknown"
        return {
            "id": int(message.id),
            "phone": message.to[1:],
            "sender_id": message.sender,
            "body": message.text,
            "status": "pending" if message.status is Status.QUEUED else "sent",
            "delivery_status": message.word or delivery,
            "country": _country(message.to[1:]),
            "is_two_way": False,
            "webhook_url": message.callback,
            "receive_dlr": message.extra["receive_dlr"],
            "url": f"{call.base_url}{_PATH}/{message.id}",
        }


def _country(digits: str) -> str | None:
    """Return the country of a number; None if it is not served."""
    for length in (3, 2, 1):
        if country := _COUNTRIES.get(digits[:length]):
            return country
    return None


def _url_errors(call: Call) -> list[str]:
    """Return the errors of the webhook URL."""
    url = call.fields.get("webhook_url")
    if url is None:
        return []
    if not isinstance(url, str) or urlsplit(url).scheme not in {"http", "https"}:
        return ["The webhook url format is invalid."]
    return []


def _dlr_errors(call: Call) -> list[str]:
    """Return the errors of the rule for delivery reports."""
    if call.fields.get("receive_dlr", "default") in _DLR:
        return []
    return ["The selected receive dlr is invalid."]


def _moment(moment: datetime) -> str:
    """Return the moment in ISO 8601 with its offset."""
    return moment.isoformat(timespec="seconds")


def _new_account() -> Account:
    """Return the account of a new simulator; its secrets are easy to find in a log."""
    return Account(
        credentials={"api_key": "trx-key-Bk4Xr9Mz1Tu6"},
        credit=Decimal("40.000"),
        price=Decimal("0.060"),
    )


def _send_call(account: Account, number: str, text: str) -> SendCall:
    """Return a request that sends the text to the number."""
    return SendCall(
        method="POST",
        path=_PATH,
        encoding="json",
        headers={"Authorization": account.credentials["api_key"]},
        fields={"phone": number[1:], "body": text, "sender_id": account.sender},
    )


PROVIDER = Provider(
    key=KEY,
    new_account=_new_account,
    create_api=Transactionale,
    send_call=_send_call,
    send_fields=SendFields(numbers="phone", text="body", callback="webhook_url"),
)
