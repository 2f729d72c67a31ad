"""Inviosmart, GET and lines of text (docs/development/provider-apis/inviosmart.md 4.3).

The numbers of errors and statuses are those of the sibling panel. Not published, so
chosen here: every answer is HTTP 200, the text is read as UTF-8, times are in UTC, and
with several numbers the answer has a line for each, in their order.
"""

from datetime import datetime
from decimal import ROUND_DOWN, Decimal
import re

from ..addresses import e164, is_alias, is_digits
from ..exchange import (
    Answer,
    Call,
    DeliveryReport,
    Endpoint,
    RefusedError,
    text_answer,
)
from ..model import Message, Operation, Status
from ..parts import count_parts
from ..provider import Provider, SendCall, SendFields
from ..store import Account, Store

KEY = "inviosmart"
MAX_PARTS = 4
MAX_ALIAS = 11
MAX_NUMERIC_SENDER = 16
UNKNOWN_COUNT = -9999

_ERRORS = {
    1001: "No username given.",
    1002: "No password given.",
    1003: "No destination given.",
    1005: "Invalid destination.",
    1006: "Alphanumeric sender too long.",
    1007: "Numeric sender too long.",
    1008: "No sender given.",
    1011: "No message given.",
    1012: "Username and password do not match.",
    1013: "No credit.",
    1017: "Destination not supported.",
    1018: "Not enough credit for this destination.",
    1021: "Invalid characters in sender.",
    1027: "No SMS id given.",
    1028: "No valid parameters.",
    1029: "Message longer than 612 characters.",
}
_STATUS_NUMBERS = {
    Status.QUEUED: 1,
    Status.SENT: 2,
    Status.DELIVERED: 2048,
    Status.FAILED: 64,
    Status.EXPIRED: 128,
}


def _line(error: int) -> str:
    """Return the line of an error."""
    return f"Error: {error} - {_ERRORS[error]}"


def _refused(error: int) -> RefusedError:
    """Return the refusal for an error number."""
    return RefusedError(text_answer(_line(error)))


class Inviosmart:
    """The provider's endpoints over a store."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path that it answers."""
        return (
            Endpoint(
                method="GET",
                path="/sendsms/",
                operation=Operation.SEND,
                handler=self._send,
            ),
            Endpoint(
                method="GET",
                path="/smsstatus/",
                operation=Operation.STATUS,
                handler=self._status,
            ),
            Endpoint(
                method="GET",
                path="/account-balance/",
                operation=Operation.CREDIT,
                handler=self._balance,
            ),
        )

    def delivery_report(self, message: Message) -> DeliveryReport | None:  # noqa: ARG002 - the provider has no push
        """Return None: this provider never calls back."""
        return None

    def _check_login(self, call: Call) -> None:
        """Refuse a missing or wrong user or password."""
        wanted = self._store.accounts[KEY].credentials
        given = {name: call.query.get(name, "") for name in ("username", "password")}
        if not given["username"]:
            raise _refused(1001)
        if not given["password"]:
            raise _refused(1002)
        if given != wanted:
            raise _refused(1012)

    def _send(self, call: Call) -> Answer:
        """Send one text to the numbers given, separated by a full stop."""
        self._check_login(call)
        destination = call.query.get("destination", "")
        if not destination:
            raise _refused(1003)
        sender = self._sender(call)
        text = call.query.get("message", "")
        if not text:
            raise _refused(1011)
        parts = count_parts(text)
        if parts > MAX_PARTS:
            raise _refused(1029)
        lines = [
            self._send_one(number, sender, text, parts)
            for number in destination.split(".")
        ]
        return text_answer("|".join(lines))

    def _send_one(self, digits: str, sender: str, text: str, parts: int) -> str:
        """Send the text to one number and return the line that answers it."""
        account = self._store.accounts[KEY]
        number = e164(digits)
        if number is None:
            return _line(1005)
        if number in account.blocked:
            return _line(1017)
        if not account.can_pay(parts):
            return _line(1018 if account.credit > 0 else 1013)
        message = self._store.accept(
            KEY, to=number, text=text, sender=sender, parts=parts
        )
        return f"OK ID:{message.id}"

    def _sender(self, call: Call) -> str:
        """Return the sender, refusing one that the panel does not accept."""
        sender = call.query.get("sender", "")
        if not sender:
            raise _refused(1008)
        if is_alias(sender):
            if len(sender) > MAX_ALIAS:
                raise _refused(1006)
            if re.search(r"[^A-Za-z0-9\-.!#%&()<> ]", sender):
                raise _refused(1021)
        elif not is_digits(sender):
            raise _refused(1021)
        elif len(sender) > MAX_NUMERIC_SENDER:
            raise _refused(1007)
        return sender

    def _status(self, call: Call) -> Answer:
        """Return the status of a message, in seven fields."""
        self._check_login(call)
        message_id = call.query.get("SMSId", "")
        if not message_id:
            raise _refused(1027)
        message = self._store.message(message_id)
        if message is None or message.provider != KEY:
            raise _refused(1028)
        fields = (
            message.id,
            _moment(message.created),
            message.to[1:],
            _moment(message.changed),
            message.word or str(_STATUS_NUMBERS[message.status]),
            str(message.parts),
            str(message.cost),
        )
        return text_answer(":".join(fields))

    def _balance(self, call: Call) -> Answer:
        """Return the credit and, for a country, how many SMS it buys."""
        self._check_login(call)
        account = self._store.accounts[KEY]
        left = UNKNOWN_COUNT
        if is_digits(call.query.get("countryprefix", "")):
            left = int(account.credit / account.price) if account.price else 0
        balance = account.credit.quantize(Decimal("0.01"), ROUND_DOWN)
        return text_answer(f"Status: 1000 - Balance:{balance}|SmsRemainCount:{left}")


def _moment(moment: datetime) -> str:
    """Return the moment as the provider writes it."""
    return f"{moment:%Y%m%d%H%M%S}"


def _new_account() -> Account:
    """Return the account of a new simulator; its secrets are easy to find in a log."""
    return Account(
        credentials={
            "username": "invio-user-Hp2Ds7",
            "password": "invio-pass-Fn3Kw8La5Cj0",
        },
        credit=Decimal("112.240"),
        price=Decimal("0.057"),
    )


def _send_call(account: Account, number: str, text: str) -> SendCall:
    """Return a request that sends the text to the number."""
    return SendCall(
        method="GET",
        path="/sendsms/",
        encoding="query",
        fields={
            **account.credentials,
            "destination": number[1:],
            "sender": account.sender,
            "message": text,
        },
    )


PROVIDER = Provider(
    key=KEY,
    new_account=_new_account,
    create_api=Inviosmart,
    send_call=_send_call,
    send_fields=SendFields(numbers="destination", text="message"),
    answers_in_json=False,
)
