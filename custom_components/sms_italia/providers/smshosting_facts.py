"""Smshosting: everything its pages document, and how it is used."""

from collections.abc import Iterator

from .facts import Fact, FactKind, Source, facts, meaning
from .model import ErrorKind, Status
from .smshosting_results import NOT_INSERTED
from .smshosting_search import STATUSES
from .smshosting_wire import GENERIC_ERROR, REFUSALS

_PUSH_SEND = "POST /push/send"
_PUSH_ESTIMATE = "POST /push/estimate"
_PUSH_SEARCH = "GET /push/search"
_MULTIMEDIA = "GET /push/multimedia/{id}"
_INVITATION = "POST /push/invitation"
_SMS_SEND = "POST /sms/send"
_SMS_BULK = "POST /sms/sendbulk"
_SMS_ESTIMATE = "POST /sms/estimate"
_SMS_SEARCH = "GET /sms/search"
_SMS_CANCEL = "POST /sms/cancel"
_USER = "GET /user"

_RECIPIENTS = {
    "to": "the recipients, without the +, separated by commas",
    "group": "the ids of phonebook groups given with the submission",
}
_CONTENT = {
    "text": "what the Push says",
    "file": "the picture, in a multipart form; JPEG, PNG or GIF up to 2 MiB",
    "onlyPush": "true for the channel push, false for push_then_sms",
    "smsFrom": "the sender of the SMS, where the submission or the account has one",
    "smsText": "the text of the SMS, for push_then_sms",
    "smsEncoding": "as the text was prepared: 7BIT or UCS2, never AUTO",
}
_SHIPPING = {
    "date": "when to send, if not at once; in UTC",
    "transactionId": "our reference of the submission",
    "sandbox": "true in test mode",
}
_SMS = {
    "from": "the sender, where the submission or the account has one",
    "text": "the text, as it was prepared",
    "encoding": "as the text was prepared: 7BIT or UCS2, never AUTO",
}
_SENT = {
    "from": "repeats the sender; not needed",
    "text": "repeats the text; not needed",
    "transactionId": "repeats our reference; not needed, since rows name the numbers",
    "smsInserted": "how many rows the list must have, with the next",
    "smsNotInserted": "how many rows the list must have, with the one before",
    "sms[].to": "whose result the row is",
    "sms[].id": "the message's id; an accepted row without one is uncertain",
    "sms[].status": "decides, and not HTTP 200",
    "sms[].statusDetail": "why a number was not taken",
}
_COSTS = {
    "cost": "the price of the whole, in euro",
    "userCredit": "the balance now, in euro",
    "smsCount": "how many SMS would go out",
}
_ROW = {
    "metadata.count": "so many rows must come before silence proves anything",
    "metadata.offset": "repeats the question; rows are told apart by id instead",
    "metadata.limit": "repeats the question; a short page is never taken for the last",
    "smsList[].id": "which message the row is about",
    "smsList[].to": "which number the row is about",
    "smsList[].text": "the text; not read, since our ledger has it",
    "smsList[].from": "the sender; not read, since our ledger has it",
    "smsList[].status": "what became of the message",
    "smsList[].insertDate": "when it was queued",
    "smsList[].sentDate": "when it was sent",
    "smsList[].deliveryDate": "when it was delivered",
    "smsList[].transactionId": "a row of another submission is left out",
    "smsList[].price": "the cost of the message, in euro",
}
_FILTERS = {
    "id": "the messages whose delivery is asked about, up to 100 at once",
    "transactionId": "the submission whose messages are looked for",
    "msisdn": "the number, in a search",
    "fromDate": "from when on, in a search; in UTC",
    "toDate": "up to when, in a search; in UTC",
    "status": "the provider's word, in a search",
    "offset": "how many rows are known already",
    "limit": "100, or as many as a search wants",
}

_SEND_ERRORS = (
    "BAD_TRANSACTIONID",
    "BAD_DATE",
    "BAD_ENCODING",
    "BAD_TEXT",
    "BAD_FROM",
    "BAD_GROUP",
    "BAD_CREDIT",
    "NO_VALID_RECIPIENT",
)
_SEARCH_ERRORS = ("NO_PARAMS", "BAD_ID", "BAD_MSISDN", "BAD_DATE", "BAD_STATUS")

_NO_PLAN = (
    "not sent: refused, with the cause no_push_plan; for push_then_sms, all go by SMS"
)
_SPENT = "not sent: credit, with the cause push_spent; for push_then_sms, all go by SMS"


def _errors(where: str, *codes: str, source: Source = Source.PAGE) -> Iterator[Fact]:
    """Yield what each code becomes, by the table that the client itself uses."""
    for code in codes:
        if code == GENERIC_ERROR:
            use = "uncertain: it does not say that nothing was done"
        elif code == "PUSH_UNAVAILABLE":
            use = _NO_PLAN
        elif code == "NO_PUSH":
            use = _SPENT
        else:
            use = meaning(REFUSALS[code])
        yield Fact(kind=FactKind.ERROR, where=where, name=code, use=use, source=source)


def _statuses(where: str, source: Source = Source.PAGE) -> Iterator[Fact]:
    """Yield what each word of a search becomes."""
    uses = {word: meaning(status) for word, status in STATUSES.items()}
    return facts(FactKind.STATUS, where, uses, source)


def _results(
    where: str, words: tuple[str, ...], source: Source = Source.PAGE
) -> Iterator[Fact]:
    """Yield what the words in a row of a send's answer become."""
    yield from facts(
        FactKind.STATUS,
        where,
        {
            "INSERTED": meaning(Status.QUEUED),
            "NOT_INSERTED": "not sent, of the kind that statusDetail tells",
        },
        source,
    )
    uses = {word: meaning(NOT_INSERTED[word]) for word in words}
    yield from facts(FactKind.ERROR, where, uses, source)


def _all() -> Iterator[Fact]:
    """Yield every fact, in the order of the pages."""
    parameter, answer = FactKind.PARAMETER, FactKind.ANSWER
    official = Source.OFFICIAL
    yield from facts(
        FactKind.ERROR,
        "every request",
        {
            "HTTP 400": "not sent, of the kind that errorMsg tells",
            "HTTP 401": meaning(ErrorKind.AUTH),
            "HTTP 405": meaning(ErrorKind.REFUSED),
            "HTTP 500": "uncertain: it does not say that nothing was done",
        },
    )
    yield from facts(
        answer,
        "every request",
        {
            "errorMsg": "the code of the refusal, or several with commas between",
            "errorCode": "repeats the HTTP status; not needed",
        },
        official,
    )

    yield from facts(parameter, _PUSH_SEND, _RECIPIENTS | _CONTENT | _SHIPPING)
    yield from facts(
        answer,
        _PUSH_SEND,
        _SENT
        | {
            "pushInserted": "how many rows the list must have, with the two before",
            "sms[].type": "PUSH marks a Push; any other is an SMS",
        },
    )
    yield from _results(_PUSH_SEND, ("BADNUMBERFORMAT", "DUPLICATESMS"))
    yield from _errors(
        _PUSH_SEND,
        "PUSH_UNAVAILABLE",
        *_SEND_ERRORS,
        "BAD_CONTENT_PUSH",
        "NO_PUSH",
        GENERIC_ERROR,
    )

    yield from facts(parameter, _PUSH_ESTIMATE, _RECIPIENTS | _CONTENT)
    yield from facts(
        answer,
        _PUSH_ESTIMATE,
        _COSTS
        | {
            "pushCount": "how many Push would go out",
            "pushAvailable": "how many Push the plan still has; asked for alone too",
        },
    )
    yield from _errors(
        _PUSH_ESTIMATE,
        "PUSH_UNAVAILABLE",
        "BAD_CONTENT_PUSH",
        "BAD_ENCODING",
        "BAD_TEXT",
        "BAD_FROM",
        "BAD_GROUP",
        "NO_VALID_RECIPIENT",
        GENERIC_ERROR,
    )

    yield from facts(parameter, _PUSH_SEARCH, _FILTERS)
    yield from facts(
        answer,
        _PUSH_SEARCH,
        _ROW
        | {
            "smsList[].type": "PUSH marks a Push",
            "smsList[].multimediaContent.id": "what the picture is read by",
            "smsList[].multimediaContent.type": "told with the picture's id",
        },
    )
    yield from _statuses(_PUSH_SEARCH)
    yield from _errors(_PUSH_SEARCH, "PUSH_UNAVAILABLE", *_SEARCH_ERRORS)

    yield from facts(parameter, _MULTIMEDIA, {"id": "the picture's id, from a search"})
    yield from facts(
        answer,
        _MULTIMEDIA,
        {"the picture": "up to 8 MiB; its first bytes tell JPEG, PNG, GIF or WebP"},
    )
    yield from _errors(_MULTIMEDIA, "PUSH_UNAVAILABLE", "NO_PARAMS", "BAD_ID")

    yield from facts(parameter, _INVITATION, {"to": "the number to invite"})
    yield from facts(
        answer,
        _INVITATION,
        {
            "to": "must be the number that was asked for",
            "url": "the link; anything that is no web address is refused",
        },
    )
    yield from _errors(_INVITATION, "PUSH_UNAVAILABLE", "NO_PARAMS", "BAD_TO")

    callback = {"statusCallback": "where Home Assistant is told that it was delivered"}
    shipped = _RECIPIENTS | _SMS | _SHIPPING | callback
    yield from facts(parameter, _SMS_SEND, shipped, official)
    yield from facts(answer, _SMS_SEND, _SENT, official)
    yield from _results(_SMS_SEND, tuple(NOT_INSERTED), official)
    yield from _errors(
        _SMS_SEND,
        *(code for code in REFUSALS if code not in _ELSEWHERE),
        GENERIC_ERROR,
        source=official,
    )
    yield from facts(
        parameter,
        _SMS_BULK,
        shipped
        | {"transactionCallback": "the same address: a hint to ask for the messages"},
        official,
    )
    yield from facts(
        answer,
        _SMS_BULK,
        {
            "from": "repeats the sender; not needed",
            "text": "repeats the text; not needed",
            "transactionId": "must be our reference; the messages are searched by it",
        },
        official,
    )
    yield from facts(parameter, _SMS_ESTIMATE, _RECIPIENTS | _SMS, official)
    yield from facts(answer, _SMS_ESTIMATE, _COSTS, official)
    yield from facts(parameter, _SMS_SEARCH, _FILTERS, official)
    yield from facts(answer, _SMS_SEARCH, _ROW, official)
    yield from _statuses(_SMS_SEARCH, official)
    yield from _errors(_SMS_SEARCH, *_SEARCH_ERRORS, source=official)
    yield from facts(
        parameter,
        _SMS_CANCEL,
        {
            "id": "the message to stop",
            "transactionId": "the submission to stop, instead of one message",
        },
        official,
    )
    yield from facts(
        answer,
        _SMS_CANCEL,
        {
            "smsList[].id": "which message the row is about",
            "smsList[].to": "which number the row is about",
            "smsList[].status": "NOSENT: stopped; SENT or later: too late; else unsure",
        },
        official,
    )
    yield from _errors(_SMS_CANCEL, "NO_PARAMS", "BAD_ID", source=official)
    yield from facts(
        answer,
        _USER,
        {
            "credit": "the balance, in euro",
            "italysms": "how many SMS to Italy it buys",
            "msisdn": "whose estimate tells the Push left; forgotten at once",
            "phone": "the same, where there is no msisdn",
        },
        official,
    )


_ELSEWHERE = {
    "PUSH_UNAVAILABLE",
    "NO_PUSH",
    "BAD_CONTENT_PUSH",
    "NO_PARAMS",
    "BAD_ID",
    "BAD_STATUS",
}
"""Codes that a send of plain SMS does not have."""

FACTS = tuple(_all())
