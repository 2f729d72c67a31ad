"""Inviosmart: everything its page documents, and how it is used.

The page lost its tables of errors and statuses: those here are of the sibling panel
(providers.md, 4.1), unproved for this provider.
"""

from collections.abc import Iterator, Mapping

from .facts import Fact, FactKind, Source, facts, meaning
from .model import ErrorKind, Status

REFUSALS: Mapping[str, ErrorKind] = {
    **dict.fromkeys(("1001", "1002", "1012", "1014", "1038", "1042"), ErrorKind.AUTH),
    **dict.fromkeys(("1013", "1018", "1023"), ErrorKind.CREDIT),
    **dict.fromkeys(("1003", "1004", "1005", "1017"), ErrorKind.RECIPIENT),
    **dict.fromkeys(
        ("1006", "1007", "1008", "1015", "1016", "1021", "1036"), ErrorKind.SENDER
    ),
    **dict.fromkeys(("1009", "1024", "1029"), ErrorKind.TEXT),
    **dict.fromkeys(("1020", "1025", "1031", "1032"), ErrorKind.UNAVAILABLE),
    # 1011 is used for a bad number and for a missing text; 1022 waits for somebody
    # to confirm the cost, and is not sent.
    **dict.fromkeys(("1011", "1022", "1027", "1028"), ErrorKind.REFUSED),
}
"""The numbers that say that nothing was sent (providers.md, 4.4)."""

DOUBTS = ("1010", "1019", "1043")
"""A failed call between two of their machines, an unwritten row, an internal error:
none of them says that the message had not been handed over already.
"""

STATUSES: Mapping[str, Status] = {
    "1": Status.QUEUED,
    "2": Status.SENT,
    "4": Status.QUEUED,
    "8": Status.FAILED,
    "16": Status.SENT,
    "32": Status.SENT,
    "64": Status.FAILED,
    "128": Status.EXPIRED,
    "256": Status.FAILED,
    "512": Status.FAILED,
    "1024": Status.FAILED,
    "2048": Status.DELIVERED,
}
"""The status numbers (providers.md, 4.5), compared as they are: whether they can be
added up is unknown.
"""

_SEND = "GET /sendsms/"
_STATUS = "GET /smsstatus/"
_BALANCE = "GET /account-balance/"
_EVERY = "every request"

_HLR = ("16384", "32768")
_HLR_ERRORS = ("1033", "1039", "1040", "1041")
_UNNAMED = ("4096", "8192")


def _all() -> Iterator[Fact]:
    """Yield every fact, in the order of the page."""
    parameter, answer = FactKind.PARAMETER, FactKind.ANSWER
    yield from facts(
        parameter,
        _EVERY,
        {
            "username": "the account's user",
            "password": "the account's password; in clear, unless the url says https",
        },
    )
    yield from facts(
        parameter,
        _SEND,
        {
            "destination": "the recipient, without + and 00",
            "sender": "the sender of the submission, else of the account",
            "message": "the text, as it was prepared, in UTF-8",
        },
    )
    yield from facts(
        answer,
        _SEND,
        {"OK ID": "the message's id; nothing else proves that it was taken"},
    )
    yield from facts(parameter, _STATUS, {"SMSId": "the message that is asked about"})
    yield from facts(
        answer,
        _STATUS,
        {
            "SMSId": "must be the one that was asked about",
            "Submited On": "counted, not read: its time zone is unknown",
            "Destination number": "counted, not read: our ledger has it",
            "Delivered On": "counted, not read: its time zone is unknown",
            "Status number": "what became of the message",
            "Quantity of SMS": "its parts",
            "Charge amount": "its cost in euro",
        },
    )
    yield from facts(
        parameter, _BALANCE, {"countryprefix": "the account's option; 39 is Italy"}
    )
    yield from facts(
        answer,
        _BALANCE,
        {
            "Status: 1000": "proves the credentials",
            "Balance": "the balance in euro",
            "SmsRemainCount": "how many SMS it buys; -9999 and the like: not told",
        },
    )
    yield from facts(
        parameter,
        "GET /help",
        {"no parameter": "for people: where the account's page in the UI leads"},
    )
    for number, kind in REFUSALS.items():
        yield Fact(
            kind=FactKind.ERROR,
            where=_EVERY,
            name=number,
            use=meaning(kind),
            source=Source.PAGE if number in {"1001", "1002"} else Source.HINT,
        )
    doubts = dict.fromkeys(DOUBTS, "uncertain: it may have been handed over")
    doubts["1026"] = "uncertain: queued, but without an id to ask by"
    doubts |= dict.fromkeys(_HLR_ERRORS, meaning(ErrorKind.REFUSED))
    yield from facts(FactKind.ERROR, _EVERY, doubts, Source.HINT)
    statuses = {number: meaning(status) for number, status in STATUSES.items()}
    statuses |= dict.fromkeys((*_HLR, *_UNNAMED), meaning(None))
    for number, use in statuses.items():
        yield Fact(
            kind=FactKind.STATUS,
            where=_STATUS,
            name=number,
            use=use,
            source=Source.PAGE if number == "2048" else Source.HINT,
        )


FACTS = tuple(_all())
