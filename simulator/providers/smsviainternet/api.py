"""Sending, delivery and credit, in JSON and XML.

The provider publishes no error bodies. Chosen here: HTTP 401 for credentials, 404
for what does not exist, 400 for the rest, each with {"error": n} where n is from
the table of its older API. Of a moment that is past, the page says nothing: here it is
sent at once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum
import re
from typing import Never
from urllib.parse import urlsplit

from ...addresses import is_digits, is_sender
from ...exchange import (
    Answer,
    Call,
    DeliveryReport,
    Endpoint,
    json_answer,
    xml_answer,
)
from ...model import Json, Message, Operation, Toggle
from ...parts import count_parts, is_gsm7
from ...provider import Provider, SendCall, SendFields, bare_error
from ...store import Account, Store
from .rows import delivery_row, part_rows
from .values import moment_of, number_of

KEY = "smsviainternet"
MAX_NUMBERS = 5000
MAX_PARTS = 99
TEST_GATEWAY = 99
MAX_ROWS = 1000


class Error(IntEnum):
    """Numbers of the older API's table, as far as they are used here."""

    LOGIN_MISSING = 1
    LOGIN_WRONG = 2
    TOKEN_INVALID = 3
    NO_CREDIT = 10
    EMPTY_TEXT = 11
    BAD_DATE = 12
    BAD_GATEWAY = 14
    BAD_SENDER = 15
    NO_NUMBERS = 20
    BAD_SENDING_ID = 100
    INTERNAL = 999


class _RefusalError(Exception):
    """The call is refused."""

    def __init__(self, error: Error, status: int) -> None:
        """Keep the number and the HTTP status."""
        super().__init__(error)
        self.error = error
        self.status = status


def _refuse(error: Error, status: int = 400) -> Never:
    """Refuse the call."""
    raise _RefusalError(error, status)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """What all messages of one call share."""

    sender: str
    test: bool
    scheduled: datetime | None
    deferred: bool


class SmsViaInternet:
    """The provider's endpoints over a store."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path that it answers."""
        base = "/api/rest/v1"
        found: list[Endpoint] = []
        for method, path, operation, handler in (
            ("POST", "sms", Operation.SEND, self._send),
            ("POST", "sms-batch", Operation.SEND, self._send_batch),
            ("GET", "sms/delivery", Operation.STATUS, self._delivery),
            ("GET", "users/wallets", Operation.CREDIT, self._wallets),
        ):
            found += [
                Endpoint(
                    method=method,
                    path=f"{base}/{path}.{extension}",
                    operation=operation,
                    handler=self._written(handler, extension),
                )
                for extension in ("json", "xml")
            ]
        return tuple(found)

    def _written(
        self, handler: Callable[[Call], dict[str, Json]], extension: str
    ) -> Callable[[Call], Answer]:
        """Return a handler that answers in JSON or XML, as the extension says."""

        def handle(call: Call) -> Answer:
            toggles = self._store.accounts[KEY].toggles
            as_xml = extension == "xml" or Toggle.XML_ANSWERS in toggles
            write = xml_answer if as_xml else json_answer
            try:
                return write(handler(call))
            except _RefusalError as refusal:
                return write({"error": refusal.error.value}, refusal.status)

        return handle

    def delivery_report(self, message: Message) -> DeliveryReport | None:
        """Return a GET with the fields of a delivery row.

        Method and fields of the real callback are unknown; these are a choice.
        """
        if message.callback is None:
            return None
        row = delivery_row(message)
        payload = {name: value for name, value in row.items() if value is not None}
        return DeliveryReport(
            method="GET", url=message.callback, encoding="query", payload=payload
        )

    def no_endpoint(self, call: Call, status: int) -> Answer:  # noqa: ARG002 - the same for any
        """Return the bare answer of a web server."""
        return bare_error(status)

    def _check_login(self, call: Call) -> None:
        """Refuse a wrong token; user and password count only if the token asks.

        The token may also come in the query or the body.
        """
        wanted = self._store.accounts[KEY].credentials
        token = (
            call.headers.get("X-Api-Token")
            or call.query.get("api_token")
            or call.text("api_token")
        )
        if not token:
            _refuse(Error.LOGIN_MISSING, 401)
        if token != wanted["api_token"]:
            _refuse(Error.TOKEN_INVALID, 401)
        for name in ("username", "password"):
            given = call.query.get(name) or call.text(name)
            if wanted.get(name) and given != wanted[name]:
                _refuse(Error.LOGIN_WRONG, 401)

    def _send(self, call: Call) -> dict[str, Json]:
        """Send one text to up to 5000 numbers."""
        self._check_login(call)
        text = self._text(call, "text")
        callback = self._callback(call.text("delivery_callback"))
        asked = re.split(r"[,\s]+", call.text("numbers").strip(" ,"))
        if not asked[0] or len(asked) > MAX_NUMBERS:
            _refuse(Error.NO_NUMBERS)
        numbers = self._valid(asked)
        options = self._options(call, deferred=_is_true(call.fields.get("async")))
        parts = count_parts(text)
        queue_id = self._accept(
            [(number, text, callback) for number in numbers], options
        )
        answer: dict[str, Json] = {
            "queue_id": queue_id,
            "async": options.deferred,
            "credit": self._credit(),
        }
        if not options.deferred:
            price = self._store.accounts[KEY].price
            charged = 0 if options.test else parts * len(numbers)
            answer |= {
                "sending_sms_count": parts * len(numbers),
                "sending_contacts_count": len(numbers),
                "sending_cost": _thousandths(price * charged),
            }
        return answer

    def _send_batch(self, call: Call) -> dict[str, Json]:
        """Send personalised texts; `async` is true unless it is switched off."""
        self._check_login(call)
        template = self._text(call, "text_template")
        defaults = _plain(call.fields.get("default_placeholders"))
        destinations = call.fields.get("destinations")
        if not isinstance(destinations, list) or not destinations:
            _refuse(Error.NO_NUMBERS)
        takes_unicode = _is_true(call.fields.get("utf8_enabled", True))
        longest = call.text("max_sms_length") or str(MAX_PARTS)
        if not is_digits(longest):
            _refuse(Error.INTERNAL)
        texts: list[tuple[str, str, str | None]] = []
        for destination in destinations:
            if not isinstance(destination, dict):
                _refuse(Error.NO_NUMBERS)
            words = defaults | _plain(destination.get("placeholders"))
            text = _fill_in(template, words)
            if count_parts(text) > int(longest) or not (takes_unicode or is_gsm7(text)):
                continue
            callback = destination.get("delivery_callback")
            address = callback if isinstance(callback, str) else ""
            url = self._callback(address or call.text("delivery_callback"))
            number = destination.get("number")
            asked = number.split(",") if isinstance(number, str) else []
            texts += [(to, text, url) for to in self._valid(asked)]
        deferred = _is_true(call.fields.get("async", True))
        options = self._options(call, deferred=deferred)
        batch_id = self._accept(texts, options)
        return {
            "async": deferred,
            "error": 0,
            "credit": self._credit(),
            "sending_contacts_count": len(texts),
            "sending_batch_id": batch_id,
        }

    def _delivery(self, call: Call) -> dict[str, Json]:
        """List delivery rows of a queue, of a batch or since a day, newest first."""
        self._check_login(call)
        filters = [
            name
            for name in ("queue_id", "sending_batch_id", "from_date")
            if call.query.get(name)
        ]
        if len(filters) != 1:
            _refuse(Error.BAD_SENDING_ID)
        value = call.query[filters[0]]
        if filters[0] == "from_date":
            try:
                first = date.fromisoformat(value)
            except ValueError:
                _refuse(Error.INTERNAL)
            found = [
                message
                for message in self._store.by_provider(KEY)
                if message.created.date() >= first
            ]
        else:
            found = self._store.by_reference(KEY, value)
        limit, offset = call.query.get("limit", "100"), call.query.get("offset", "0")
        if not is_digits(limit) or not is_digits(offset) or int(limit) > MAX_ROWS:
            _refuse(Error.INTERNAL)
        account = self._store.accounts[KEY]
        per_part = Toggle.ROW_PER_PART in account.toggles
        rows = [
            row
            for message in found
            for row in (part_rows(message) if per_part else [delivery_row(message)])
        ]
        if word := call.query.get("delivery_status"):
            rows = [row for row in rows if row["delivery_status"] == word]
        rows.reverse()
        page: list[Json] = list(rows[int(offset) : int(offset) + int(limit)])
        return {
            "count": len(rows),
            "limit": int(limit),
            "offset": int(offset),
            "deliveries": page,
        }

    def _wallets(self, call: Call) -> dict[str, Json]:
        """Return the credit in euro, if the account may ask for it.

        `users` names the user whose wallet is returned.
        """
        self._check_login(call)
        account = self._store.accounts[KEY]
        if Toggle.WALLETS not in account.toggles:
            _refuse(Error.INTERNAL, 404)
        own = account.credentials.get("username")
        wallets: list[Json] = []
        if call.query.get("users", own) == own:
            wallets = [{"amount": float(account.credit), "user": {"id": "70421"}}]
        return {"wallets": wallets}

    def _options(self, call: Call, *, deferred: bool) -> SendOptions:
        """Return sender, gateway and date of a call."""
        return SendOptions(
            sender=self._sender(call),
            test=self._is_test(call),
            scheduled=self._date(call.text("send_at")),
            deferred=deferred,
        )

    def _date(self, value: str) -> datetime | None:
        """Return when to send; None for immediately."""
        now = self._store.now()
        try:
            moment = moment_of(value, now)
        except ValueError, OverflowError:
            _refuse(Error.BAD_DATE)
        return moment if moment > now else None

    def _text(self, call: Call, name: str) -> str:
        """Return the text, refusing an empty one and one with too many parts."""
        text = call.fields.get(name)
        if not isinstance(text, str) or not text or count_parts(text) > MAX_PARTS:
            _refuse(Error.EMPTY_TEXT)
        return text

    def _sender(self, call: Call) -> str:
        """Return the sender; the account's own if the call names none."""
        sender = call.fields.get("sender")
        if sender is None or sender == "":
            return self._store.accounts[KEY].sender
        if not isinstance(sender, str) or not is_sender(sender):
            _refuse(Error.BAD_SENDER)
        return sender

    def _is_test(self, call: Call) -> bool:
        """Return whether the gateway is the one that delivers nothing."""
        gateway = call.text("gateway") or "0"
        if not is_digits(gateway):
            _refuse(Error.BAD_GATEWAY)
        return int(gateway) == TEST_GATEWAY

    def _callback(self, address: str) -> str | None:
        """Return the URL for reports; None for an e-mail address, which gets none."""
        if not address:
            return None
        if urlsplit(address).scheme in {"http", "https"}:
            return address
        if "@" not in address:
            _refuse(Error.INTERNAL)
        return None

    def _valid(self, asked: Iterable[str]) -> list[str]:
        """Return the valid numbers; others are dropped silently, as documented."""
        blocked = self._store.accounts[KEY].blocked
        numbers = dict.fromkeys(number_of(number.strip()) for number in asked)
        return [to for to in numbers if to is not None and to not in blocked]

    def _accept(
        self, texts: list[tuple[str, str, str | None]], options: SendOptions
    ) -> str:
        """Accept (number, text, callback) of one call and return its queue id.

        A deferred call is not refused for lack of credit: it is just not sent.
        """
        queue_id = str(15_066_000_000_000_000 + self._store.new_id())
        if options.test:
            return queue_id
        parts = {text: count_parts(text) for text in {item[1] for item in texts}}
        total = sum(parts[item[1]] for item in texts)
        account = self._store.accounts[KEY]

        def accept() -> None:
            if not account.can_pay(total):
                return
            for number, text, callback in texts:
                self._store.accept(
                    KEY,
                    to=number,
                    text=text,
                    sender=options.sender,
                    parts=parts[text],
                    reference=queue_id,
                    provider_id=queue_id,
                    callback=callback,
                    scheduled=options.scheduled,
                )

        if options.deferred:
            self._store.defer(KEY, accept)
        elif account.can_pay(total):
            accept()
        else:
            _refuse(Error.NO_CREDIT)
        return queue_id

    def _credit(self) -> int:
        """Return the credit in thousandths of a euro."""
        return _thousandths(self._store.accounts[KEY].credit)


def _fill_in(template: str, words: dict[str, str]) -> str:
    """Replace each {{name}} with its word; one without a word disappears."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: words.get(match[1], ""), template)


def _thousandths(euro: Decimal) -> int:
    """Return whole thousandths of a euro."""
    return int(euro * 1000)


def _is_true(value: Json) -> bool:
    """Read a boolean as the page allows it: 1, true or yes."""
    return value is True or str(value).lower() in {"1", "true", "yes"}


def _plain(value: Json) -> dict[str, str]:
    """Return the placeholders as texts."""
    if not isinstance(value, dict):
        return {}
    return {name: str(item) for name, item in value.items()}


def _new_account() -> Account:
    """Return the account of a new simulator; its secrets are easy to find in a log."""
    return Account(
        credentials={"api_token": "svi-token-Zq7Lm2Xv9Rk4"},
        credit=Decimal("50.000"),
        price=Decimal("0.050"),
    )


def _send_call(account: Account, number: str, text: str) -> SendCall:
    """Return a request that sends the text to the number."""
    return SendCall(
        method="POST",
        path="/api/rest/v1/sms.json",
        encoding="json",
        headers={"X-Api-Token": account.credentials["api_token"]},
        fields={"numbers": number, "text": text},
    )


PROVIDER = Provider(
    key=KEY,
    new_account=_new_account,
    create_api=SmsViaInternet,
    send_call=_send_call,
    send_fields=SendFields(
        numbers="numbers", text="text", callback="delivery_callback"
    ),
)
