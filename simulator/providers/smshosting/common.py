"""What all endpoints of Smshosting share: login, refusals, recipients, dates."""

from base64 import b64decode
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
import json
import re
from typing import Never
from urllib.parse import urlsplit
from uuid import uuid4

from ...addresses import e164, is_alias, is_sender
from ...exchange import Answer, Call, RefusedError, json_answer
from ...model import Json, Message, Status, Toggle
from ...parts import as_gsm7, count_parts
from ...store import Account, Store

KEY = "smshosting"
BASE = "/rest/api"
MAX_NUMBERS = 1000
MAX_REFERENCE = 60
NUMERIC_SENDER = "+393399957101"
"""The sender in place of an alias that is not registered."""

NOT_SENT = "NOSENT"
"""The word of a message that was cancelled."""

WORDS = {
    Status.QUEUED: "PENDING",
    Status.SENT: "SENT",
    Status.DELIVERED: "DELIVERED",
    Status.FAILED: "NOTDELIVERED",
    Status.EXPIRED: "NOTDELIVERED",
}

_OBJECT = re.compile(r"\{([^{}]*)\}")
_PROPERTY = re.compile(r"""['"]?(\w+)['"]?\s*:\s*(?:'([^']*)'|"([^"]*)"|([^,'"\s]+))""")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}")


def error(code: str, status: int) -> Answer:
    """Return the answer of an error, which has the same form for every status."""
    answer = json_answer({"errorMsg": code, "errorCode": status}, status)
    if status == HTTPStatus.UNAUTHORIZED:
        realm = 'Basic realm="REST API Authentication"'
        return replace(answer, headers={"WWW-Authenticate": realm})
    return answer


def refuse(code: str, status: int = 400) -> Never:
    """Refuse the call with one of the provider's codes."""
    raise RefusedError(error(code, status))


def check_login(store: Store, call: Call) -> Account:
    """Return the account, refusing a wrong key or secret of the Basic login."""
    account = store.accounts[KEY]
    scheme, _, token = call.headers.get("Authorization", "").partition(" ")
    try:
        login = b64decode(token, validate=True).decode()
    except binascii.Error, UnicodeDecodeError:
        login = ""
    wanted = account.credentials
    if (
        scheme.lower() != "basic"
        or login != f"{wanted['auth_key']}:{wanted['auth_secret']}"
    ):
        refuse("BAD_CREDENTIALS", 401)
    return account


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A number as it was given, and as E.164; None if it is not valid.

    `properties` are what the text may name.
    """

    given: str
    number: str | None
    properties: Mapping[str, str] = field(default_factory=dict)


def recipients(
    account: Account, call: Call, most: int | None = None
) -> list[Recipient]:
    """Return the numbers of `to` and of the groups.

    A number has its country code and no "+"
    (docs/development/provider-apis/smshosting.md 2.3). The code for more than `most`
    numbers is not published.
    """
    given = _given(call.text("to"))
    for group in call.text("group").split(","):
        if group.strip():
            if group.strip() not in account.groups:
                refuse("BAD_GROUP")
            given += [(number[1:], {}) for number in account.groups[group.strip()]]
    found = [
        Recipient(given=item, number=e164(item), properties=properties)
        for item, properties in given
    ]
    if most is not None and len(found) > most:
        refuse("BAD_TO")
    strict = Toggle.STRICT_RECIPIENTS in account.toggles
    if not found or (strict and not any(item.number for item in found)):
        refuse("NO_VALID_RECIPIENT")
    return found


def _given(to: str) -> list[tuple[str, Mapping[str, str]]]:
    """Return the numbers of `to`, which are a list or an array of objects.

    The page writes the objects with bare keys and single quotes; JSON is taken too.
    """
    if not to.lstrip().startswith("["):
        return [(item.strip(), {}) for item in to.split(",") if item.strip()]
    return [(item.get("msisdn", ""), item) for item in _objects_in(to)]


def _objects_in(array: str) -> list[dict[str, str]]:
    """Return the objects of an array, their values as text."""
    try:
        items: Json = json.loads(array)
    except ValueError, RecursionError:
        return [
            {
                name: single or double or bare
                for name, single, double, bare in _PROPERTY.findall(content)
            }
            for content in _OBJECT.findall(array)
        ]
    listed = items if isinstance(items, list) else []
    return [
        {name: str(value) for name, value in item.items()}
        for item in listed
        if isinstance(item, dict)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """The text of an SMS as it is sent, its sender and its parts."""

    sender: str
    text: str
    parts: int
    unicode: bool | None

    def to(self, recipient: Recipient) -> Sms:
        """Return the SMS of a recipient, with the placeholders of the text filled.

        BAD_TEXT_PLACEHOLDER for a `${` that none of the properties fills.
        """
        if "${" not in self.text:
            return self
        text = _PLACEHOLDER.sub(
            lambda found: recipient.properties.get(found[1], found[0]), self.text
        )
        if "${" in text:
            refuse("BAD_TEXT_PLACEHOLDER")
        parts = count_parts(text, unicode=self.unicode)
        return replace(self, text=text, parts=parts)


def read_sms(
    account: Account, call: Call, names: tuple[str, str, str], max_parts: int
) -> Sms:
    """Return the SMS of a call; `names` are the fields of sender, text, encoding.

    In 7BIT, the default, what GSM-7 does not have becomes "?": the real behaviour
    is not published.
    """
    sender = call.text(names[0]) or account.sender
    if not is_sender(sender):
        refuse("BAD_FROM")
    if is_alias(sender) and Toggle.ALIAS_REPLACED in account.toggles:
        sender = NUMERIC_SENDER
    encoding = call.text(names[2]) or "7BIT"
    text = call.text(names[1])
    match encoding:
        case "7BIT":
            text = as_gsm7(text)
        case "UCS2" | "AUTO":
            pass
        case _:
            refuse("BAD_ENCODING")
    unicode = encoding == "UCS2" or None
    parts = count_parts(text, unicode=unicode)
    if not text or parts > max_parts:
        refuse("BAD_TEXT")
    return Sms(sender=sender, text=text, parts=parts, unicode=unicode)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """The options that a call sets for all its messages."""

    reference: str
    scheduled: datetime | None
    callback: str | None
    sandbox: bool


def read_options(store: Store, call: Call) -> SendOptions:
    """Return transaction id, date, callback and sandbox of a call."""
    reference = call.text("transactionId")
    if len(reference) > MAX_REFERENCE:
        refuse("BAD_TRANSACTIONID")
    scheduled = read_date(call.text("date")) if call.text("date") else None
    if scheduled is not None and scheduled < store.now():
        refuse("BAD_DATE")
    callback = read_callback(call, "statusCallback")
    return SendOptions(
        reference=reference or uuid4().hex,
        scheduled=scheduled,
        callback=callback,
        sandbox=call.text("sandbox").lower() == "true",
    )


def read_callback(call: Call, name: str) -> str | None:
    """Return the URL in a field; None if the field is empty."""
    callback = call.text(name) or None
    if callback and urlsplit(callback).scheme not in {"http", "https"}:
        refuse("BAD_CALLBACK")
    return callback


def insert_sms(
    store: Store, found: list[Recipient], sms: Sms, options: SendOptions
) -> list[Json]:
    """Accept the SMS for each number that can get it; return the `sms` list.

    In the sandbox the list is the same and nothing is accepted. BAD_CREDIT if the
    credit is not enough for all of them.
    """
    account = store.accounts[KEY]
    texts = [sms.to(recipient) for recipient in found]
    details: list[str | None] = []
    taken: dict[str, int] = {}
    for recipient, text in zip(found, texts, strict=True):
        detail = _refusal(store, account, recipient, text, taken)
        details.append(detail)
        if detail is None and recipient.number is not None:
            taken[recipient.number] = text.parts
    if not account.can_pay(sum(taken.values())):
        refuse("BAD_CREDIT")
    listed: list[Json] = []
    for recipient, text, detail in zip(found, texts, details, strict=True):
        if detail is not None or recipient.number is None:
            listed.append(
                {
                    "id": None,
                    "to": recipient.given,
                    "status": "NOT_INSERTED",
                    "statusDetail": detail,
                }
            )
            continue
        message_id = (
            store.new_id()
            if options.sandbox
            else _insert(store, recipient.number, text, options)
        )
        listed.append({"id": message_id, "to": recipient.given, "status": "INSERTED"})
    return listed


def _insert(store: Store, number: str, sms: Sms, options: SendOptions) -> int:
    """Accept one SMS and return its id."""
    store.remember_text(number, sms.sender, sms.text)
    message = store.accept(
        KEY,
        to=number,
        text=sms.text,
        sender=sms.sender,
        parts=sms.parts,
        reference=options.reference,
        scheduled=options.scheduled,
        callback=options.callback,
    )
    return int(message.id)


def inserted_in(listed: list[Json]) -> int:
    """Return how many of the listed messages were inserted."""
    return sum(
        isinstance(item, dict) and item["status"] == "INSERTED" for item in listed
    )


def _refusal(
    store: Store,
    account: Account,
    recipient: Recipient,
    sms: Sms,
    taken: Mapping[str, int],
) -> str | None:
    """Return why one number cannot get the SMS; None if it can."""
    if recipient.number is None:
        return "BADNUMBERFORMAT"
    if recipient.number in account.blocked:
        return "BLACKLIST"
    if recipient.number in taken or store.is_repeat(
        recipient.number, sms.sender, sms.text
    ):
        return "DUPLICATESMS"
    return None


def read_date(value: str) -> datetime:
    """Read yyyy-MM-ddTHH:mm:ss+0200; BAD_DATE for anything else."""
    if not _DATE.fullmatch(value):
        refuse("BAD_DATE")
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        refuse("BAD_DATE")


def describe(message: Message) -> dict[str, Json]:
    """Return a message as the searches show it, without dates not yet known.

    A cancelled one costs nothing and was never sent.
    """
    status = message.word or WORDS[message.status]
    shown: dict[str, Json] = {
        "id": int(message.id),
        "to": message.to[1:],
        "text": message.text,
        "from": message.sender,
        "status": status,
        "insertDate": moment(message.created),
        "transactionId": message.reference,
        "price": 0 if status == NOT_SENT else float(message.cost),
    }
    if message.sent is not None and status != NOT_SENT:
        shown["sentDate"] = moment(message.sent)
    if message.status is Status.DELIVERED:
        shown["deliveryDate"] = moment(message.changed)
    return shown


def moment(time: datetime) -> str:
    """Return a time as the provider writes it."""
    return f"{time:%Y-%m-%dT%H:%M:%S%z}"
