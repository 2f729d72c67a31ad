"""What a text would come to, before it is sent: design.md, section 8."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from itertools import batched
import uuid

from ..providers.client import Feature
from ..providers.errors import ProviderError
from ..providers.model import Channel, Submission
from .account import Account
from .model import Order, Target, TextEstimate, Wishes
from .orders import check_order, sort_targets
from .text import PreparedText

_HOME = "IT"
"""Where the providers are, and most of the numbers."""


async def estimate_order(
    account: Account,
    order: Order,
    now: float,
    prices: Callable[[], Awaitable[Mapping[str, Decimal]]],
) -> TextEstimate:
    """Return what an order to an account would come to; see `Messenger.estimate`.

    `prices` returns what was last paid for a part, in euro by country (ISO 3166).
    """
    wishes, prepared = check_order(order, account, now)
    targets: Sequence[Target] = ()
    if order.targets:
        targets, _ = sort_targets(account, order.targets, wishes.groups)
    cost = None
    if Feature.ESTIMATE in account.provider.capabilities.features:
        cost = await _asked_cost(account, prepared, targets, wishes)
    if cost is None and _has_prices(account, wishes):
        countries = [target.number.country for target in targets] or [_home(account)]
        cost = _known_cost(await prices(), prepared.parts, countries)
    return TextEstimate(
        text=prepared.text,
        encoding=prepared.encoding,
        parts=prepared.parts,
        characters_left=prepared.characters_left,
        costly_characters=prepared.costly_characters,
        cost=cost,
    )


async def _asked_cost(
    account: Account, prepared: PreparedText, targets: Sequence[Target], wishes: Wishes
) -> Decimal | None:
    """Ask the provider, in as few requests as may be; None if it does not tell."""
    size = account.provider.capabilities.recipients_per_submission
    batches = list(batched([target.given for target in targets], size, strict=False))
    if not batches and wishes.groups:
        batches = [()]
    costs: list[Decimal] = []
    for index, recipients in enumerate(batches):
        submission = Submission(
            reference=uuid.uuid7().hex,
            recipients=recipients,
            text=prepared.text,
            encoding=prepared.encoding,
            sender=account.sender_for(wishes.sender),
            channel=wishes.channel,
            picture=wishes.picture,
            groups=() if index else wishes.groups,
        )
        try:
            costs.append(await account.client.estimate(submission))
        except ProviderError:
            return None
    return sum(costs, Decimal(0)) if costs else None


def _has_prices(account: Account, wishes: Wishes) -> bool:
    """Tell whether what was paid for parts tells the cost.

    Not of a Push, which has none, nor of a group, of which nobody knows the size.
    """
    return (wishes.channel or account.channel) is Channel.SMS and not wishes.groups


def _home(account: Account) -> str:
    """Return the country that a number not given yet is most likely in."""
    allowed = account.options.allowed_countries
    return next(iter(allowed)) if len(allowed) == 1 else _HOME


def _known_cost(
    prices: Mapping[str, Decimal], parts: int, countries: Sequence[str]
) -> Decimal | None:
    """Return the cost of a message to each country, None if any has no price."""
    if not prices.keys() >= set(countries):
        return None
    return sum((prices[country] * parts for country in countries), Decimal(0))
