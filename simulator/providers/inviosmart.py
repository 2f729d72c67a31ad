"""Inviosmart, lines of text (docs/development/provider-apis/inviosmart.md 4.3).

It answers under both sets of paths, to a query or to form data beside it. The numbers
of errors and statuses are those of the sibling panel; with Toggle.SENTENCES a send is
refused in sentences instead. Not published, so chosen here: every answer is HTTP 200,
the text is read as UTF-8, times are in UTC, and of several numbers each has its part
of the line, in their order.
"""

from collections.abc import Mapping
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
from ..model import Message, Operation, Status, Toggle
from ..parts import count_parts
from ..provider import Provider, SendCall, SendFields, bare_error
from ..store import Account, Store

KEY = "inviosmart"
MAX_PARTS = 4
MAX_ALIAS = 11
UNKNOWN_COUNT = -9999

_PATHS = {
    Operation.SEND: ("/sendsms/", "/webservice/sms/sendSMSHTTP.php"),
    Operation.STATUS: ("/smsstatus/", "/webservice/sms/getSMSStatus.php"),
    Operation.CREDIT: ("/account-balance/", "/webservice/sms/getAccountBalance.php"),
    Operation.OTHER: ("/help",),
}
"""Those of its two addresses: docs/development/provider-apis/inviosmart.md 4.2."""

_HELP = """Usage:
/sendsms/?username=&password=&destination=&sender=&message=
/smsstatus/?username=&password=&SMSId=
/account-balance/?username=&password=[&countryprefix=]
"""
"""The page names the help and does not print it: the words are ours."""

_ERRORS = {
    1001: "No username given.",
    1002: "No password given.",
    1003: "No destination given.",
    1005: "Invalid destination.",
    1006: "Alphanumeric sender too long.",
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
    1036: "Sender not allowed.",
}
_COVERED = "Invalid destination or Destination not covered."
_SENTENCES = {**_ERRORS, **dict.fromkeys((1003, 1005, 1017), _COVERED)}
"""The one about destinations stands on the page, whose list is cut."""
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
    """Return the refusal of a question."""
    return RefusedError(text_answer(_line(error)))


def _given(call: Call) -> dict[str, str]:
    """Return the arguments of the query and of form data."""
    return {**call.query, **{name: call.text(name) for name in call.fields}}


class Inviosmart:
    """The provider's endpoints over a store."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path that it answers."""
        handlers = {
            Operation.SEND: self._send,
            Operation.STATUS: self._status,
            Operation.CREDIT: self._balance,
            Operation.OTHER: self._help,
        }
        return tuple(
            Endpoint(method=method, path=path, operation=operation, handler=handler)
            for operation, handler in handlers.items()
            for path in _PATHS[operation]
            for method in ("GET", "POST")
        )

    def delivery_report(self, message: Message) -> DeliveryReport | None:  # noqa: ARG002 - the provider has no push
        """Return None: this provider never calls back."""
        return None

    def no_endpoint(self, call: Call, status: int) -> Answer:  # noqa: ARG002 - the same for any
        """Return the bare answer of a web server."""
        return bare_error(status)

    def _login_error(self, given: Mapping[str, str]) -> int | None:
        """Return the error of a missing or wrong user or password."""
        wanted = self._store.accounts[KEY].credentials
        if not given.get("username"):
            return 1001
        if not given.get("password"):
            return 1002
        return None if wanted.items() <= given.items() else 1012

    def _read(self, call: Call) -> dict[str, str]:
        """Return the arguments of a question, refusing a bad login."""
        given = _given(call)
        if error := self._login_error(given):
            raise _refused(error)
        return given

    def _help(self, call: Call) -> Answer:  # noqa: ARG002 - whatever is asked
        """Return the usage of the commands."""
        return text_answer(_HELP)

    def _send(self, call: Call) -> Answer:
        """Send one text to the numbers given, separated by a full stop."""
        given = _given(call)
        if error := self._login_error(given) or _send_error(given):
            return text_answer(self._refusal(error))
        text = given["message"]
        lines = [
            self._send_one(number, given["sender"], text, count_parts(text))
            for number in given["destination"].split(".")
        ]
        return text_answer("|".join(lines))

    def _refusal(self, error: int) -> str:
        """Return the line that refuses a send, with its number or as a sentence."""
        is_sentence = Toggle.SENTENCES in self._store.accounts[KEY].toggles
        return _SENTENCES[error] if is_sentence else _line(error)

    def _send_one(self, digits: str, sender: str, text: str, parts: int) -> str:
        """Send the text to one number and return the line that answers it."""
        account = self._store.accounts[KEY]
        number = e164(digits)
        if number is None:
            return self._refusal(1005)
        if number in account.blocked:
            return self._refusal(1017)
        if not account.can_pay(parts):
            return self._refusal(1018 if account.credit > 0 else 1013)
        message = self._store.accept(
            KEY, to=number, text=text, sender=sender, parts=parts
        )
        return f"OK ID:{message.id}"

    def _status(self, call: Call) -> Answer:
        """Return the status of a message, in seven fields."""
        message_id = self._read(call).get("SMSId", "")
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
        given = self._read(call)
        account = self._store.accounts[KEY]
        left = UNKNOWN_COUNT
        if is_digits(given.get("countryprefix", "")):
            left = int(account.credit / account.price) if account.price else 0
        balance = account.credit.quantize(Decimal("0.01"), ROUND_DOWN)
        return text_answer(f"Status: 1000 - Balance:{balance}|SmsRemainCount:{left}")


def _send_error(given: Mapping[str, str]) -> int | None:
    """Return the error of the first argument of a send that is not right."""
    if not given.get("destination"):
        return 1003
    if error := _sender_error(given.get("sender", "")):
        return error
    if not given.get("message"):
        return 1011
    return 1029 if count_parts(given["message"]) > MAX_PARTS else None


def _sender_error(sender: str) -> int | None:
    """Return the error of a sender that the panel does not accept."""
    if not sender:
        return 1008
    if is_digits(sender):
        return 1036
    if len(sender) > MAX_ALIAS:
        return 1006
    is_allowed = is_alias(sender) and re.fullmatch(r"[A-Za-z0-9\-.!#%&()<> ]+", sender)
    return None if is_allowed else 1021


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
