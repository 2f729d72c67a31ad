"""SMSviaInternet: everything its pages document, and how it is used."""

from collections.abc import Iterator

from .facts import Fact, FactKind, Source, facts, meaning
from .model import Status
from .smsviainternet_delivery import STATUSES
from .smsviainternet_wire import INTERNAL_ERROR, REFUSALS

_SEND = "POST /api/rest/v1/sms"
_BATCH = "POST /api/rest/v1/sms-batch"
_DELIVERY = "GET /api/rest/v1/sms/delivery"
_WALLETS = "GET /api/rest/v1/users/wallets"
_EVERY = "every request"

_SHIPPING = {
    "sender": "the sender, where the submission or the account has one",
    "gateway": "the account's option; 99, the test gateway, in test mode",
    "send_at": "when to send, if not at once: the time of Rome with its offset",
    "delivery_callback": (
        "the URL where Home Assistant is told, else the account's e-mail address"
    ),
}


def _all() -> Iterator[Fact]:
    """Yield every fact, in the order of the pages."""
    parameter, answer = FactKind.PARAMETER, FactKind.ANSWER
    official, hint = Source.OFFICIAL, Source.HINT
    yield from facts(
        parameter,
        _SEND,
        _SHIPPING
        | {
            "text": "the text, as it was prepared",
            "numbers": "up to 5000 numbers, each with +, separated by commas",
            "async": "true for more than 500 numbers, else left out",
        },
    )
    yield from facts(
        answer,
        _SEND,
        {
            "queue_id": "the id of all messages of the call; reports are asked by it",
            "credit": "the balance after sending, in thousandths of a euro",
            "sending_sms_count": "the parts, shared out over the contacts",
            "sending_contacts_count": (
                "fewer than were asked for: some were dropped, and the delivery rows"
                " tell which"
            ),
            "sending_cost": "the cost in thousandths of a euro, shared out likewise",
            "async": "true: no counts, and every number is taken as queued",
            "response": "the root of an answer in XML, known by its content type",
        },
    )
    yield from facts(
        parameter,
        _EVERY,
        {"X-Api-Token": "the account's token, in the header"},
    )
    yield from facts(
        parameter,
        _EVERY,
        {
            "username": "the account's, for tokens that ask for it",
            "password": "the account's, for tokens that ask for it",
        },
        official,
    )
    errors = {str(number): meaning(kind) for number, kind in REFUSALS.items()}
    errors[str(INTERNAL_ERROR)] = "by its HTTP status; uncertain with 200 and 500"
    yield from facts(FactKind.ERROR, _EVERY, errors, hint)
    yield from facts(
        parameter,
        _BATCH,
        _SHIPPING
        | {
            "text_template": "{{text}}, so that every text is all its own",
            "destinations[].number": "a recipient",
            "destinations[].placeholders": "the recipient's own text",
            "destinations[].delivery_callback": "left to the one of the whole batch",
            "default_placeholders": "not needed: each recipient has a text",
            "async": "always told, since its default is true: over 100 recipients",
            "max_sms_length": "the most parts that the submission allows, else 99",
            "utf8_enabled": "always true: false would drop recipients",
        },
        official,
    )
    yield from facts(
        answer,
        _BATCH,
        {
            "sending_batch_id": "the id of all messages of the call",
            "credit": "the balance after sending, in thousandths of a euro",
            "sending_contacts_count": "as for one text for all",
            "async": "as for one text for all",
            "error": "0 is fine; any other makes the messages uncertain",
        },
        hint,
    )
    yield from facts(
        parameter,
        _DELIVERY,
        {
            "queue_id": "the shipment that is asked about",
            "sending_batch_id": "the batch that is asked about",
            "from_date": "today, with limit 1, to prove the token",
            "limit": "1000",
            "offset": "how many rows are known already",
            "delivery_status": "left out: all rows are wanted",
            "user_id": "left out: for resellers only",
        },
        official,
    )
    yield from facts(
        answer,
        _DELIVERY,
        {
            "count": "repeats the length of the list; not needed",
            "limit": "a page with fewer rows is the last",
            "offset": "repeats the question; not needed",
            "deliveries[].queue_id": "repeats the question; not needed",
            "deliveries[].sender": "the sender; not read, since our ledger has it",
            "deliveries[].receiver": "which number the row is about",
            "deliveries[].delivery_date": "not read: its time zone is unknown",
            "deliveries[].delivery_status": "what became of the message or its part",
            "deliveries[].reason_code": "why it failed, as a code",
        },
        official,
    )
    uses = {word: meaning(status) for word, status in STATUSES.items()}
    uses["null"] = meaning(Status.SENT)
    yield from facts(FactKind.STATUS, _DELIVERY, uses, official)
    yield from facts(
        parameter, _WALLETS, {"users": "the account's user, where it has one"}, hint
    )
    yield from facts(
        answer,
        _WALLETS,
        {"wallets[].amount": "the balance in euro; only if there is just one wallet"},
        hint,
    )


FACTS = tuple(_all())
