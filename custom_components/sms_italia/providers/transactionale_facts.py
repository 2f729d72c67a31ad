"""Transactionale: everything its page documents, and how it is used."""

from .facts import Fact

FACTS: tuple[Fact, ...] = ()
