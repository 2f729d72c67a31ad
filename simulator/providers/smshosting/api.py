"""Sending, estimate, cancel, profile, lists.

Not published, so chosen here: at most 7 parts an SMS; a blocked number is NOT_INSERTED
with BLACKLIST; a cancelled message is refunded; an answer in XML has the root
`response`, and a bare list is the element `items` there.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from http import HTTPStatus
import json

from ...exchange import (
    Answer,
    Call,
    DeliveryReport,
    Endpoint,
    RefusedError,
    json_answer,
    xml_answer,
)
from ...model import Json, Message, Operation, Status
from ...provider import Provider, SendCall, SendFields
from ...store import Account, Store
from .common import (
    BASE,
    KEY,
    MAX_NUMBERS,
    NOT_SENT,
    WORDS,
    Recipient,
    SendOptions,
    Sms,
    check_login,
    describe,
    error,
    insert_sms,
    inserted_in,
    moment,
    read_callback,
    read_options,
    read_sms,
    recipients,
    refuse,
)
from .push import SmshostingPush
from .reception import SmshostingReception, push
from .search import SmshostingSearch

MAX_PARTS = 7
FIELDS = ("from", "text", "encoding")


class Smshosting:
    """The provider's endpoints over a store."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store
        self._search = SmshostingSearch(store)
        self._push = SmshostingPush(store)
        self._reception = SmshostingReception(store)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path that it answers, in JSON or in XML."""
        return tuple(
            replace(endpoint, handler=partial(_in_asked_form, endpoint.handler))
            for endpoint in self._endpoints()
        )

    def _endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                method="POST",
                path=f"{BASE}/sms/send",
                operation=Operation.SEND,
                handler=self._send,
            ),
            Endpoint(
                method="POST",
                path=f"{BASE}/sms/sendbulk",
                operation=Operation.SEND,
                handler=self._send_bulk,
            ),
            Endpoint(
                method="POST",
                path=f"{BASE}/sms/estimate",
                operation=Operation.OTHER,
                handler=self._estimate,
            ),
            Endpoint(
                method="POST",
                path=f"{BASE}/sms/cancel",
                operation=Operation.OTHER,
                handler=self._cancel,
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/user",
                operation=Operation.CREDIT,
                handler=self._user,
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/alias/list",
                operation=Operation.OTHER,
                handler=self._aliases,
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/phonebook/group/list",
                operation=Operation.OTHER,
                handler=self._groups,
            ),
            *self._search.endpoints(),
            *self._push.endpoints(),
            *self._reception.endpoints(),
        )

    def delivery_report(self, message: Message) -> DeliveryReport | None:
        """Return a form with the end of a delivery, if the send gave an address."""
        status = message.word or WORDS[message.status]
        if message.callback is None or status not in {"DELIVERED", "NOTDELIVERED"}:
            return None
        return DeliveryReport(
            method="POST",
            url=message.callback,
            encoding="form",
            payload={
                "id": message.id,
                "transactionId": message.reference,
                "to": message.to[1:],
                "status": status,
                "notificationDate": moment(message.changed),
            },
        )

    def no_endpoint(self, call: Call, status: int) -> Answer:
        """Return an error in the form of every other."""
        code = HTTPStatus(status).phrase.upper().replace(" ", "_")
        return _as_asked(call, error(code, status))

    def _send(self, call: Call) -> Answer:
        """Send one SMS to some numbers; the answer lists each of them."""
        account = check_login(self._store, call)
        found = recipients(account, call, MAX_NUMBERS)
        sms = read_sms(account, call, FIELDS, MAX_PARTS)
        options = read_options(self._store, call)
        listed = insert_sms(self._store, found, sms, options)
        return json_answer(_result(sms, options, listed))

    def _send_bulk(self, call: Call) -> Answer:
        """Send one SMS to very many numbers; the answer does not list them.

        They are listed for the address in `transactionCallback`.
        """
        account = check_login(self._store, call)
        found = recipients(account, call)
        sms = read_sms(account, call, FIELDS, MAX_PARTS)
        options = read_options(self._store, call)
        callback = read_callback(call, "transactionCallback")
        work = partial(self._insert_bulk, found, sms, options, callback)
        self._store.defer(KEY, work)
        return json_answer(
            {
                "from": sms.sender,
                "text": sms.text,
                "transactionId": options.reference,
            }
        )

    def _insert_bulk(
        self,
        found: list[Recipient],
        sms: Sms,
        options: SendOptions,
        callback: str | None,
    ) -> None:
        """Carry out a bulk send; a refusal goes to the callback only."""
        report: dict[str, Json]
        try:
            listed = insert_sms(self._store, found, sms, options)
        except RefusedError as refused:
            code = json.loads(refused.answer.body)["errorMsg"]
            report = {
                "status": "ERROR",
                "errorMsg": "NO_CREDIT" if code == "BAD_CREDIT" else code,
                "transactionId": options.reference,
            }
        else:
            report = {"status": "COMPLETED", **_result(sms, options, listed)}
        if callback is not None:
            self._store.on_report(
                KEY,
                DeliveryReport(
                    method="POST", url=callback, encoding="json", payload=report
                ),
            )

    def _estimate(self, call: Call) -> Answer:
        """Return what an SMS would cost, in euro."""
        account = check_login(self._store, call)
        found = recipients(account, call, MAX_NUMBERS)
        sms = read_sms(account, call, FIELDS, MAX_PARTS)
        count = sms.parts * sum(item.number is not None for item in found)
        return json_answer(
            {
                "cost": float(account.price * count),
                "userCredit": float(account.credit),
                "smsCount": count,
            }
        )

    def _cancel(self, call: Call) -> Answer:
        """Cancel scheduled messages that are not sent yet; list those as they are."""
        account = check_login(self._store, call)
        stopped: list[Json] = []
        for message in self._named(call):
            if message.status is Status.QUEUED and message.scheduled is not None:
                account.credit += message.cost
                moved = self._store.move(message.id, Status.FAILED, NOT_SENT)
                stopped.append(describe(moved))
        return json_answer(stopped)

    def _named(self, call: Call) -> list[Message]:
        """Return the messages of a transaction id or of a list of ids."""
        if reference := call.text("transactionId"):
            return self._store.by_reference(KEY, reference)
        if not call.text("id"):
            refuse("NO_PARAMS")
        found: list[Message] = []
        for message_id in call.text("id").split(","):
            message = self._store.message(message_id.strip())
            if message is None or message.provider != KEY:
                refuse("BAD_ID")
            found.append(message)
        return found

    def _user(self, call: Call) -> Answer:
        """Return the profile with the credit in euro."""
        account = check_login(self._store, call)
        bought = int(account.credit / account.price) if account.price else 0
        return json_answer(
            {
                "name": "Simulatore",
                "lastname": "Cognome",
                "username": "simulatore",
                "email": "simulatore@example.invalid",
                "businessname": "Simulatore Srl",
                "address": "Via Inventata 1",
                "city": "Bologna",
                "postcode": "40100",
                "province": "BO",
                "country": "IT",
                "birthdate": "01.01.1900",
                "phone": "0512345678",
                "msisdn": "393400009999",
                "sender": account.sender,
                "taxcode": "",
                "vatnumber": "00000000000",
                "registrationDate": "2020-01-01T00:00:00+0100",
                "expirationDate": "2036-01-01T00:00:00+0100",
                "credit": float(account.credit),
                "italysms": bought,
                "senderAlias": [account.sender],
                "accountPlan": "SMS",
                "authKey": account.credentials["auth_key"],
                "authSecret": account.credentials["auth_secret"],
            }
        )

    def _aliases(self, call: Call) -> Answer:
        """List the aliases: the account's sender is the one that is registered."""
        account = check_login(self._store, call)
        return json_answer(
            [
                {
                    "id": 1,
                    "alias": account.sender,
                    "businessname": "Simulatore Srl",
                    "address": "Via Inventata 1",
                    "city": "Bologna",
                    "postcode": "40100",
                    "province": "BO",
                    "country": "IT",
                    "vatnumber": "00000000000",
                    "taxcode": "",
                    "email": "simulatore@example.invalid",
                    "phone": "0512345678",
                    "pec": "simulatore@pec.example.invalid",
                    "status": "VERIFIED",
                }
            ]
        )

    def _groups(self, call: Call) -> Answer:
        """List the groups of the address book with their sizes."""
        account = check_login(self._store, call)
        return json_answer(
            [
                {"id": int(key), "name": f"Gruppo {key}", "contactCount": len(numbers)}
                for key, numbers in account.groups.items()
            ]
        )


def _result(sms: Sms, options: SendOptions, listed: list[Json]) -> dict[str, Json]:
    """Return the result of a send of SMS."""
    inserted = inserted_in(listed)
    return {
        "from": sms.sender,
        "text": sms.text,
        "transactionId": options.reference,
        "smsInserted": inserted,
        "smsNotInserted": len(listed) - inserted,
        "sms": listed,
    }


def _in_asked_form(handler: Callable[[Call], Answer], call: Call) -> Answer:
    """Return a handler's answer in the form that `Accept` asks for."""
    try:
        answer = handler(call)
    except RefusedError as refused:
        answer = refused.answer
    return _as_asked(call, answer)


def _as_asked(call: Call, answer: Answer) -> Answer:
    if (
        answer.content_type != "application/json"
        or "application/xml" not in call.headers.get("Accept", "")
    ):
        return answer
    value: Json = json.loads(answer.body)
    form = xml_answer(value if isinstance(value, dict) else {"items": value})
    return replace(form, status=answer.status, headers=answer.headers)


def _new_account() -> Account:
    """Return the account of a new simulator; its secrets are easy to find in a log."""
    return Account(
        credentials={
            "auth_key": "smsh-key-Wd8Np3Ht6Yb1",
            "auth_secret": "smsh-secret-Gc5Jf0Vs2Qe7",
        },
        credit=Decimal("45.500"),
        price=Decimal("0.062"),
    )


def _send_call(account: Account, number: str, text: str) -> SendCall:
    """Return a request that sends the text to the number."""
    login = ":".join(account.credentials[name] for name in ("auth_key", "auth_secret"))
    return SendCall(
        method="POST",
        path="/sms/send",
        encoding="form",
        headers={"Authorization": f"Basic {b64encode(login.encode()).decode()}"},
        fields={"to": number[1:], "text": text},
    )


PROVIDER = Provider(
    key=KEY,
    reception_push=push,
    base_path=BASE,
    new_account=_new_account,
    create_api=Smshosting,
    send_call=_send_call,
    send_fields=SendFields(numbers="to", text="text", callback="statusCallback"),
)
