"""Smshosting: sending, estimate, cancel, profile (providers.md section 2).

Not published and chosen here: in sandbox nothing is listed; at most 7 parts an SMS
(the current help page); a blocked number is NOT_INSERTED with BLACKLIST; the status
callback is a form with transactionId, to, status and id; a cancelled message reads
NOSENT and its price comes back.
"""

from contextlib import suppress
from functools import partial

from .exchange import (
    Answer,
    Call,
    Endpoint,
    Notification,
    RefusedError,
    json_answer,
)
from .model import Json, Message, Operation, Provider, Status
from .smshosting_form import (
    BASE,
    PROVIDER,
    WORDS,
    Recipient,
    Shipping,
    Sms,
    check_login,
    describe,
    insert_sms,
    read_callback,
    read_shipping,
    read_sms,
    recipients,
    refuse,
)
from .smshosting_push import SmshostingPush
from .smshosting_search import SmshostingSearch
from .store import Store

MAX_PARTS = 7
FIELDS = ("from", "text", "encoding")


class Smshosting:
    """The provider's endpoints over a store."""

    provider = Provider.SMSHOSTING

    def __init__(self, store: Store) -> None:
        """Answer from this store."""
        self._store = store
        self._search = SmshostingSearch(store)
        self._push = SmshostingPush(store)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path it answers."""
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

    def notification(self, message: Message) -> Notification | None:
        """Return a form with the final status, if the send gave an address."""
        if message.callback is None:
            return None
        return Notification(
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
        """Send one SMS to some numbers; each is answered for itself."""
        account = check_login(self._store, call)
        found = recipients(account, call)
        sms = read_sms(account, call, FIELDS, MAX_PARTS)
        shipping = read_shipping(self._store, call)
        listed: list[Json] = []
        if not shipping.sandbox:
            listed = insert_sms(self._store, found, sms, shipping)
        inserted = sum(
            isinstance(item, dict) and item["status"] == "INSERTED" for item in listed
        )
        return json_answer(
            {
                "from": sms.sender,
                "text": sms.text,
                "transactionId": shipping.reference,
                "smsInserted": inserted,
                "smsNotInserted": len(listed) - inserted,
                "sms": listed,
            }
        )

    def _send_bulk(self, call: Call) -> Answer:
        """Send one SMS to very many numbers, without telling of each.

        What a `transactionCallback` gets is published nowhere, so it gets nothing.
        """
        account = check_login(self._store, call)
        found = recipients(account, call)
        sms = read_sms(account, call, FIELDS, MAX_PARTS)
        shipping = read_shipping(self._store, call)
        read_callback(call, "transactionCallback")
        if not shipping.sandbox:
            work = partial(self._insert_bulk, found, sms, shipping)
            self._store.defer(PROVIDER, work)
        return json_answer(
            {
                "from": sms.sender,
                "text": sms.text,
                "transactionId": shipping.reference,
            }
        )

    def _insert_bulk(
        self, found: list[Recipient], sms: Sms, shipping: Shipping
    ) -> None:
        """Work on a bulk send; whom a refusal could be told is gone by then."""
        with suppress(RefusedError):
            insert_sms(self._store, found, sms, shipping)

    def _estimate(self, call: Call) -> Answer:
        """Tell what an SMS would cost, in euro."""
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
        """Stop scheduled messages that are still waiting."""
        account = check_login(self._store, call)
        if reference := call.text("transactionId"):
            found = self._store.by_reference(PROVIDER, reference)
        elif message_id := call.text("id"):
            message = self._store.message(message_id)
            if message is None or message.provider is not PROVIDER:
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
