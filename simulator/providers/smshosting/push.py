"""Push messages with a picture (docs/development/provider-apis/smshosting.md 2.2).

Without the toggle push_plan every call is refused with PUSH_UNAVAILABLE. Not
published and chosen here: a number that onlyPush leaves out is not in the list.
"""

from collections.abc import Mapping

from ...addresses import e164
from ...exchange import Answer, Call, Endpoint, json_answer
from ...model import Channel, Json, Message, Operation, Toggle
from ...store import Account, Store
from .common import (
    BASE,
    KEY,
    Recipient,
    SendOptions,
    Sms,
    check_login,
    describe,
    insert_sms,
    inserted_in,
    read_options,
    read_sms,
    recipients,
    refuse,
)
from .search import matching, page

MAX_PARTS = 5
FIELDS = ("smsFrom", "smsText", "smsEncoding")


class SmshostingPush:
    """The endpoints under /push over a store."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path under /push."""
        return (
            Endpoint(
                method="POST",
                path=f"{BASE}/push/send",
                operation=Operation.SEND,
                handler=self._send,
            ),
            Endpoint(
                method="POST",
                path=f"{BASE}/push/estimate",
                operation=Operation.OTHER,
                handler=self._estimate,
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/push/search",
                operation=Operation.STATUS,
                handler=self._search,
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/push/multimedia/{{id}}",
                operation=Operation.OTHER,
                handler=self._multimedia,
            ),
            Endpoint(
                method="POST",
                path=f"{BASE}/push/invitation",
                operation=Operation.OTHER,
                handler=self._invitation,
            ),
        )

    def _account(self, call: Call) -> Account:
        """Return the account, refusing one without a Push plan."""
        account = check_login(self._store, call)
        if Toggle.PUSH_PLAN not in account.toggles:
            refuse("PUSH_UNAVAILABLE")
        return account

    def _send(self, call: Call) -> Answer:
        """Send a Push to the phones with the app, and an SMS to the others if asked."""
        account = self._account(call)
        by_push, by_sms, sms = self._split(account, call)
        options = read_options(self._store, call)
        if len(by_push) > account.push_left:
            refuse("NO_PUSH")
        listed: list[Json] = []
        if sms is not None and by_sms:
            listed += insert_sms(self._store, by_sms, sms, options)
        inserted = inserted_in(listed)
        picture = call.files.get("file")
        extra = {}
        if picture is not None and not options.sandbox:
            extra = {"picture": self._store.keep_picture(picture)}
        for recipient in by_push:
            message_id = (
                self._store.new_id()
                if options.sandbox
                else self._insert(recipient, call.text("text"), options, extra)
            )
            listed.append(
                {
                    "id": message_id,
                    "to": recipient.given,
                    "status": "INSERTED",
                    "type": "PUSH",
                }
            )
        answer: dict[str, Json] = {
            "transactionId": options.reference,
            "smsInserted": inserted,
            "smsNotInserted": len(listed) - len(by_push) - inserted,
            "pushInserted": len(by_push),
            "sms": listed,
        }
        if sms is not None:
            answer |= {"from": sms.sender, "text": sms.text}
        return json_answer(answer)

    def _insert(
        self,
        recipient: Recipient,
        text: str,
        options: SendOptions,
        extra: Mapping[str, str],
    ) -> int:
        """Accept one Push and return its id."""
        account = self._store.accounts[KEY]
        account.push_left -= 1
        message = self._store.accept(
            KEY,
            to=f"+{recipient.given}",
            text=text,
            sender=account.sender,
            parts=0,
            reference=options.reference,
            scheduled=options.scheduled,
            channel=Channel.PUSH,
            extra=extra,
        )
        return int(message.id)

    def _estimate(self, call: Call) -> Answer:
        """Return what a Push, with its SMS, would cost in euro."""
        account = self._account(call)
        by_push, by_sms, sms = self._split(account, call)
        count = 0
        if sms is not None:
            count = sms.parts * sum(item.number is not None for item in by_sms)
        return json_answer(
            {
                "cost": float(account.price * count),
                "userCredit": float(account.credit),
                "smsCount": count,
                "pushCount": len(by_push),
                "pushAvailable": account.push_left,
            }
        )

    def _search(self, call: Call) -> Answer:
        """List the messages that match, Push and SMS."""
        self._account(call)
        return page(call, matching(self._store, call), _describe)

    def _multimedia(self, call: Call) -> Answer:
        """Return the bytes of a picture that was sent."""
        self._account(call)
        picture = self._store.pictures.get(call.tail)
        if picture is None:
            refuse("BAD_ID")
        return Answer(
            status=200, content_type=picture.content_type, body=picture.content
        )

    def _invitation(self, call: Call) -> Answer:
        """Return a link that invites a number to install the app."""
        self._account(call)
        if not call.text("to"):
            refuse("NO_PARAMS")
        if e164(call.text("to")) is None:
            refuse("BAD_TO")
        return json_answer(
            {"to": call.text("to"), "url": f"cqui.it/{self._store.new_id():x}"}
        )

    def _split(
        self, account: Account, call: Call
    ) -> tuple[list[Recipient], list[Recipient], Sms | None]:
        """Return who gets a Push, who an SMS, and that SMS (None if onlyPush)."""
        if not call.text("text") and "file" not in call.files:
            refuse("BAD_CONTENT_PUSH")
        found = recipients(account, call)
        by_push = [item for item in found if item.number in account.push_phones]
        if (call.text("onlyPush") or "true").lower() == "true":
            if not by_push:
                refuse("NO_VALID_RECIPIENT")
            return by_push, [], None
        by_sms = [item for item in found if item.number not in account.push_phones]
        return by_push, by_sms, read_sms(account, call, FIELDS, MAX_PARTS)


def _describe(message: Message) -> dict[str, Json]:
    """Return a message as this search shows it."""
    shown = describe(message)
    if message.channel is Channel.PUSH:
        shown["type"] = "PUSH"
    if picture := message.extra.get("picture"):
        shown["multimediaContent"] = {"id": picture, "type": "IMAGE"}
    return shown
