"""Inviosmart: everything its page documents, and how it is used.

The page lost its tables of errors and statuses: those here are of the sibling panel
(providers.md, 4.1), unproved for this provider.
"""

from collections.abc import Mapping

from .facts import Fact
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

DOUBTS = frozenset({"1010", "1019", "1043"})
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

FACTS: tuple[Fact, ...] = ()
