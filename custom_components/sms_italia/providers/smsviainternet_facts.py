"""SMSviaInternet: everything its pages document, and how it is used."""

from .facts import Fact

FACTS: tuple[Fact, ...] = ()
