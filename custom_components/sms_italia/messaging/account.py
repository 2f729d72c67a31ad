"""An account as the messaging layer sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..providers.client import Feature, Provider, ProviderClient
from ..providers.model import Channel
from .text import TextEncoding


class DeliveryReports(StrEnum):
    """How delivery is found out."""

    AUTO = "auto"
    """The provider tells it where it can; asking is the safety net."""
    POLL = "poll"
    """The provider is asked."""
    OFF = "off"
    """It is not: a message that was taken is closed with what the answer said of it.

    `queued` or `sent` is then the last that is ever known, and no promise of more.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOptions:
    """What the user chose for an account; design.md, section 7.

    `max_parts` None leaves it to the provider; `daily_limit` is in parts, 0 means
    none; `retry_for` is in seconds; `low_credit` in euro; `fallback` holds the
    ids of other accounts in order. More than `bundle_after` messages to one number
    within a minute are joined into one; 0 never joins.
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
    bundle_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One set of credentials at one provider, ready to send.

    `sender` is the account's own sender, None for the provider's default.
    `recipients` holds the numbers (E.164) of each recipient by its id.
    `callback_url` gives the URL where the provider is to tell the delivery of the
    submission with this reference; None if there is no such way at the moment.
    `bundle_heading` says above joined messages how many they are. `channel` is how
    its client sends what names no channel. `identity` tells one customer of the
    provider from another: with another one the provider knows nothing of what this
    account sent before.
    """

    id: str
    name: str
    provider: Provider
    client: ProviderClient
    sender: str | None
    options: AccountOptions
    recipients: Mapping[str, tuple[str, ...]]
    callback_url: Callable[[str], str | None] = lambda _: None
    bundle_heading: Callable[[int], str] = str
    channel: Channel = Channel.SMS
    identity: str = ""

    def is_low(self, balance: Decimal) -> bool:
        """Tell whether to warn of a balance in euro; never if the limit is 0."""
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
        """The ids of the accounts to try for this one, itself first."""
        return tuple(dict.fromkeys((self.id, *self.options.fallback)))

    def can_settle(self, provider_id: str | None) -> bool:
        """Tell whether the provider can be asked about a message in doubt.

        By our reference, or by the id that it gave in spite of the doubt.
        """
        return Feature.CLIENT_REFERENCE in self.provider.capabilities.features or (
            provider_id is not None and self.tracks_delivery
        )

    @property
    def tracks_delivery(self) -> bool:
        """Whether the fate of this account's messages is found out."""
        return (
            self.options.delivery_reports is not DeliveryReports.OFF
            and Feature.DELIVERY_POLL in self.provider.capabilities.features
        )
