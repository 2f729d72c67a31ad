"""Accounts as the messaging layer sees them, and those that are attached."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import override

from ..providers import Channel, Feature, Provider, ProviderClient
from .errors import Refusal, RequestRefusedError
from .model import BadTarget, Target, TextEncoding

_LOOK_AGAIN = 0.5
"""Seconds until it is checked whether such an account is still expected."""


class DeliveryReports(StrEnum):
    """How delivery is found out."""

    AUTO = "auto"
    """The provider reports it where it can; polling is the safety net."""
    POLL = "poll"
    """The provider is polled."""
    OFF = "off"
    """It is not: an accepted message is closed with what the answer said of it.

    `queued` or `sent` is then the last that is ever known, and no promise of more.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOptions:
    """What the user chose for an account.

    `max_parts` None leaves it to the provider; `daily_limit` is in parts, 0 means
    none; `retry_for` is in seconds; `low_credit` in euro; `fallback` holds the
    IDs of other accounts in order. What is more than `bundle_after` messages to one
    number within a minute is joined; 0 never joins. `receive` says whether SMS to
    the account are searched for.
    """

    encoding: TextEncoding = TextEncoding.SMART
    max_parts: int | None = None
    daily_limit: int = 200
    allowed_countries: frozenset[str] = frozenset({"IT"})
    fallback: tuple[str, ...] = ()
    resend_uncertain: bool = False
    failover_on_failed_delivery: bool = False
    retry_for: float = 3600
    delivery_reports: DeliveryReports = DeliveryReports.AUTO
    low_credit: Decimal = Decimal(5)
    history_days: int = 30
    repeat_marker: bool = True
    bundle_after: int = 10
    receive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One set of credentials at one provider, ready to send.

    `sender` is the account's own sender, None for the provider's default.
    `recipients` holds the targets of each recipient by its ID.
    `callback_url` gives the URL where the provider is to report the delivery of the
    submission with this reference; None if there is no such way at the moment.
    `bundle_heading` says above joined messages how many they are. `channel` is how
    its client sends what names no channel. Its credentials may change, but not the
    customer whose they are: the provider knows what the account sent before.
    """

    id: str
    name: str
    provider: Provider
    client: ProviderClient
    sender: str | None
    options: AccountOptions
    recipients: Mapping[str, tuple[Target | BadTarget, ...]]
    callback_url: Callable[[str], str | None] = lambda _: None
    bundle_heading: Callable[[int], str] = str
    channel: Channel = Channel.SMS

    def has(self, feature: Feature) -> bool:
        """Return whether the account's provider has a feature."""
        return feature in self.provider.capabilities.features

    def is_low(self, balance: Decimal) -> bool:
        """Return whether to warn of a balance in euro; never if the limit is 0."""
        limit = self.options.low_credit
        return limit > 0 and balance < limit

    def sender_for(self, wanted: str | None) -> str | None:
        """Return the sender to use here: the wanted one where it may be used."""
        if wanted is not None and self.provider.capabilities.sender.allows(wanted):
            return wanted
        return self.sender

    @property
    def max_parts(self) -> int:
        """The most parts that one message may take here."""
        most = self.provider.capabilities.max_parts
        chosen = self.options.max_parts
        return most if chosen is None else min(most, chosen)

    @property
    def route(self) -> tuple[str, ...]:
        """The IDs of the accounts to try for this one, itself first."""
        return tuple(dict.fromkeys((self.id, *self.options.fallback)))

    def can_settle(self, provider_id: str | None) -> bool:
        """Return whether the provider can be asked about a message in doubt.

        By our reference, or by the ID that it gave in spite of the doubt.
        """
        return self.has(Feature.CLIENT_REFERENCE) or (
            provider_id is not None and self.tracks_delivery
        )

    @property
    def receives(self) -> bool:
        """Whether SMS that come in are searched for."""
        return self.options.receive and self.has(Feature.RECEIVE)

    @property
    def tracks_delivery(self) -> bool:
        """Whether the delivery of this account's messages is found out."""
        is_wanted = self.options.delivery_reports is not DeliveryReports.OFF
        return is_wanted and self.has(Feature.DELIVERY_POLL)


class Accounts(Mapping[str, Account]):
    """The attached accounts by ID."""

    def __init__(self, is_expected: Callable[[str], bool]) -> None:
        """Start empty; `is_expected` returns whether an account is being loaded."""
        self.is_expected = is_expected
        self._attached: dict[str, Account] = {}
        self._changed = asyncio.Event()
        self._closed = False

    @override
    def __getitem__(self, account_id: str) -> Account:
        return self._attached[account_id]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._attached)

    @override
    def __len__(self) -> int:
        return len(self._attached)

    def max_parts_along(self, route: Sequence[str]) -> int:
        """Return the most parts that each attached account of a route takes."""
        return min(self[one].max_parts for one in route if one in self)

    def attach(self, account: Account) -> None:
        """Add an account, or replace it."""
        self._closed = False
        self._attached[account.id] = account
        self._wake_up()

    def detach(self, account_id: str) -> None:
        """Remove an account, if it is there."""
        self._attached.pop(account_id, None)

    def close(self) -> None:
        """Remove all; whoever waits for an account is refused."""
        self._closed = True
        self._attached.clear()
        self._wake_up()

    async def wait_for(self, account_id: str, until: float) -> Account:
        """Return an account; wait for one that is being loaded.

        Until a moment of the loop's clock at the latest. Raises RequestRefusedError
        (ACCOUNT_NOT_LOADED).
        """
        loop = asyncio.get_running_loop()
        while (account := self._attached.get(account_id)) is None:
            is_late = loop.time() >= until
            if self._closed or is_late or not self.is_expected(account_id):
                raise RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN):
                    await self._changed.wait()
        return account

    def _wake_up(self) -> None:
        """Let those that wait for an account look again."""
        self._changed.set()
        self._changed = asyncio.Event()
