"""Transactionale, JSON (docs/development/provider-apis/transactionale.md 3.2).

Not published, so chosen here: 404 for an id that does not exist, 405 for a GET without
one, 402 without credit (all in the shape of the 401), numbers of 10 to 15 digits, at
most 10 parts a text, `sender_id` is required, and the status of an expired message is
"failed".
"""

from datetime import datetime
from decimal import Decimal
import json
import re
from urllib.parse import urlsplit

from ..addresses import is_digits
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
from ..provider import Provider, SendCall, SendFields, bare_error
from ..store import Account, Store

KEY = "transactionale"
MAX_PARTS = 10
MAX_SENDER = 11
MIN_DIGITS = 10
MAX_DIGITS = 15
RESENDS = 3
"""How often a report is sent again after an answer of 500 or more."""

_PATH = "/platform/api/sms/send"
_READ_PATH = "/api/v1/send"
_DLR = {"default", "always", "on_error", "off"}

_PREFIXES = (
    "93 AF, 355 AL, 1268 AG, 54 AR, 61 AU, 43 AT, 375 BY, 32 BE, 387 BA, 55 BR, "
    "359 BG, 855 KH, 56 CL, 86 CN, 57 CO, 385 HR, 53 CU, 357 CY, 420 CZ, 850 KP, "
    "45 DK, 1809 DO, 1829 DO, 1849 DO, 20 EG, 291 ER, 372 EE, 358 FI, 33 FR, 594 GF, "
    "49 DE, 350 GI, 30 GR, 590 GP, 852 HK, 36 HU, 354 IS, 353 IE, 972 IL, 39 IT, "
    "81 JP, 962 JO, 82 KR, 423 LI, 352 LU, 853 MO, 356 MT, 596 MQ, 377 MC, 382 ME, "
    "264 NA, 31 NL, 64 NZ, 47 NO, 507 PA, 51 PE, 63 PH, 48 PL, 351 PT, 40 RO, 7 RU, "
    "378 SM, 966 SA, 381 RS, 421 SK, 232 SL, 27 ZA, 34 ES, 46 SE, 41 CH, 886 TW, "
    "389 MK, 216 TN, 90 TR, 1649 TC, 256 UG, 380 UA, 44 GB, 1 US, 598 UY, 58 VE, "
    "967 YE"
)
_CANADA = (
    "204 226 236 249 250 263 289 306 343 354 365 367 368 382 403 416 418 428 431 437 "
    "438 450 468 474 506 514 519 548 579 581 584 587 604 613 639 647 672 683 705 709 "
    "742 753 778 780 782 807 819 825 867 873 879 902 905"
)
_COUNTRIES = {
    **{f"1{area}": "CA" for area in _CANADA.split()},
    **dict(pair.split() for pair in _PREFIXES.split(", ")),
}
"""The 81 countries that the page lists, by the first digits of a number."""
_LONGEST_PREFIX = 4


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
                path=_PATH,
                operation=Operation.OTHER,
                handler=self._list,
            ),
            Endpoint(
                method="GET",
                path=f"{_PATH}/{{id}}",
                operation=Operation.STATUS,
                handler=self._read,
            ),
            Endpoint(
                method="GET",
                path=f"{_READ_PATH}/{{id}}",
                operation=Operation.STATUS,
                handler=self._read_message,
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

    def no_endpoint(self, call: Call, status: int) -> Answer:
        """Return the bare answer of a web server, if the key is right.

        A wrong one is refused on every path, whether it exists or not.
        """
        self._check_key(call)
        return bare_error(status)

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
        return self._show(message, call, 201)

    def _list(self, call: Call) -> Answer:
        """Refuse what the page shows only with a wrong key."""
        self._check_key(call)
        raise _http_error(405, "Method Not Allowed")

    def _read(self, call: Call) -> Answer:
        """Return a message by the path that the answers have."""
        self._check_key(call)
        if Toggle.ONE_READ_PATH in self._store.accounts[KEY].toggles:
            raise _http_error(404, "Not Found")
        return self._read_message(call)

    def _read_message(self, call: Call) -> Answer:
        """Return a message with its status."""
        self._check_key(call)
        message = self._store.message(call.tail)
        if message is None or message.provider != KEY:
            raise _http_error(404, "Not Found")
        return self._show(message, call, 200)

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
        is_blocked = f"+{phone}" in self._store.accounts[KEY].blocked
        if len(phone) < MIN_DIGITS or is_blocked:
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

    def _show(self, message: Message, call: Call, status: int) -> Answer:
        """Return the answer about a message."""
        shown = self._describe(message, call)
        if Toggle.PRINTED_ANSWERS not in self._store.accounts[KEY].toggles:
            return json_answer(shown, status)
        body = json.dumps(shown, indent=4).removesuffix("\n}") + ",\n}"
        return Answer(
            status=status, content_type="application/json", body=body.encode()
        )

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
    for length in range(_LONGEST_PREFIX, 0, -1):
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
