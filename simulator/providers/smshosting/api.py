"""Sending, estimate, cancel, profile.

Not published, so chosen here: in sandbox nothing is listed; at most 7 parts an SMS;
a blocked number is NOT_INSERTED with BLACKLIST; the status callback is a form with
transactionId, to, status and id; a cancelled message has the status NOSENT, and its
price is refunded.
"""

from base64 import b64encode
from contextlib import suppress
from decimal import Decimal
from functools import partial

from ...exchange import (
    Answer,
    Call,
    DeliveryReport,
    Endpoint,
    RefusedError,
    json_answer,
)
from ...model import Json, Message, Operation, Status
from ...provider import Provider, SendCall, SendFields
from ...store import Account, Store
from .common import (
    BASE,
    KEY,
    WORDS,
    Recipient,
    SendOptions,
    Sms,
    check_login,
    describe,
    insert_sms,
    read_callback,
    read_options,
    read_sms,
    recipients,
    refuse,
)
from .push import SmshostingPush
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

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path that it answers."""
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
            *self._search.endpoints(),
            *self._push.endpoints(),
        )

    def delivery_report(self, message: Message) -> DeliveryReport | None:
        """Return a form with the final status, if the send gave an address."""
        if message.callback is None:
            return None
        return DeliveryReport(
            method="POST",
            url=message.callback,
            encoding="form",
            payload={
                "transactionId": message.reference,
                "to": message.to[1:],
                "status": message.word or WORDS[message.status],
                "id": message.id,
            },
        )

    def _send(self, call: Call) -> Answer:
        """Send one SMS to some numbers; the answer lists each of them."""
        account = check_login(self._store, call)
        found = recipients(account, call)
        sms = read_sms(account, call, FIELDS, MAX_PARTS)
        options = read_options(self._store, call)
        listed: list[Json] = []
        if not options.sandbox:
            listed = insert_sms(self._store, found, sms, options)
        inserted = sum(
            isinstance(item, dict) and item["status"] == "INSERTED" for item in listed
        )
        return json_answer(
            {
                "from": sms.sender,
                "text": sms.text,
                "transactionId": options.reference,
                "smsInserted": inserted,
                "smsNotInserted": len(listed) - inserted,
                "sms": listed,
            }
        )

    def _send_bulk(self, call: Call) -> Answer:
        """Send one SMS to very many numbers; the answer does not list them.

        What a `transactionCallback` gets is not known, so it gets nothing.
        """
        account = check_login(self._store, call)
        found = recipients(account, call)
        sms = read_sms(account, call, FIELDS, MAX_PARTS)
        options = read_options(self._store, call)
        read_callback(call, "transactionCallback")
        if not options.sandbox:
            work = partial(self._insert_bulk, found, sms, options)
            self._store.defer(KEY, work)
        return json_answer(
            {
                "from": sms.sender,
                "text": sms.text,
                "transactionId": options.reference,
            }
        )

    def _insert_bulk(
        self, found: list[Recipient], sms: Sms, options: SendOptions
    ) -> None:
        """Carry out a bulk send; a refusal is lost, as the call was answered before."""
        with suppress(RefusedError):
            insert_sms(self._store, found, sms, options)

    def _estimate(self, call: Call) -> Answer:
        """Return what an SMS would cost, in euro."""
        account = check_login(self._store, call)
        found = recipients(account, call)
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
        """Cancel scheduled messages that are not sent yet."""
        account = check_login(self._store, call)
        if reference := call.text("transactionId"):
            found = self._store.by_reference(KEY, reference)
        elif message_id := call.text("id"):
            message = self._store.message(message_id)
            if message is None or message.provider != KEY:
                refuse("BAD_ID")
            found = [message]
        else:
            refuse("NO_PARAMS")
        stopped: list[Json] = []
        for message in found:
            if message.status is Status.QUEUED and message.scheduled is not None:
                account.credit += message.cost
                moved = self._store.move(message.id, Status.FAILED, "NOSENT")
                stopped.append(describe(moved))
        return json_answer({"smsList": stopped})

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
                "city": "Bologna",
                "country": "IT",
                "msisdn": "393400009999",
                "sender": account.sender,
                "senderAlias": [account.sender],
                "credit": float(account.credit),
                "italysms": bought,
                "accountPlan": "SMS",
            }
        )


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
    base_path=BASE,
    new_account=_new_account,
    create_api=Smshosting,
    send_call=_send_call,
    send_fields=SendFields(numbers="to", text="text", callback="statusCallback"),
)
