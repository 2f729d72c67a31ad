"""How many parts a text takes and what it costs, before it is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import batched
import uuid

from ...providers import Channel, Feature, ProviderError, Submission
from ..account import Account
from ..model import SendOptions, SendRequest, Target, TextEstimate
from .dispatch import check_request
from .numbers import country_of
from .text import PreparedText
from .validation import sort_targets

_TO_READ = 1
"""Seconds before the answer in which the last prices are read."""

_HOME = "IT"
"""Where the providers are, and most of the numbers."""


async def estimate_request(
    account: Account,
    request: SendRequest,
    now: float,
    *,
    prices: Callable[[], Awaitable[Mapping[str, Decimal]]],
    answer_by: float,
) -> TextEstimate:
    """Return what a request to an account would take; see `Messenger.estimate`.

    `prices` returns what was last paid for a part, in euro by country (ISO 3166).
    """
    options, prepared = check_request(request, account, now)
    targets: Sequence[Target] = ()
    if request.targets:
        targets, _ = sort_targets(account, request.targets, options.groups)
    cost = None
    if account.has(Feature.ESTIMATE):
        quote = _quoted_cost(account, prepared, targets, options)
        cost = await _if_in_time(quote, answer_by - _TO_READ)
    if cost is None and _has_prices(account, options):
        countries = [target.number.country for target in targets] or [_home(account)]
        paid = await _if_in_time(prices(), answer_by)
        cost = _cost_by_prices(paid or {}, prepared.parts, countries)
    return TextEstimate(
        text=prepared.text,
        encoding=prepared.encoding,
        parts=prepared.parts,
        characters_left=prepared.characters_left,
        costly_characters=prepared.costly_characters,
        cost=cost,
    )


async def group_sizes(account: Account, answer_by: float) -> Mapping[str, int]:
    """Return the size of each group at an account's provider, by its ID.

    Empty if no daily limit asks for them, or if the provider does not answer by that
    moment of the loop's clock.
    """
    if not (account.options.daily_limit and account.has(Feature.GROUPS)):
        return {}
    try:
        async with asyncio.timeout_at(answer_by):
            return await account.client.group_sizes()
    except TimeoutError, ProviderError:
        return {}


async def _if_in_time[R](work: Awaitable[R], until: float) -> R | None:
    """Return what something results in, None if not by a moment of the loop's clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            return await work
    return None


async def _quoted_cost(
    account: Account,
    prepared: PreparedText,
    targets: Sequence[Target],
    options: SendOptions,
) -> Decimal | None:
    """Ask the provider, in as few requests as possible; None if it does not say."""
    size = account.provider.capabilities.recipients_per_submission
    batches = list(batched([target.given for target in targets], size, strict=False))
    if not batches and options.groups:
        batches = [()]
    costs: list[Decimal] = []
    for index, recipients in enumerate(batches):
        submission = Submission(
            reference=uuid.uuid7().hex,
            recipients=recipients,
            text=prepared.text,
            encoding=prepared.encoding,
            sender=account.sender_for(options.sender),
            channel=options.channel,
            picture=options.picture,
            groups=() if index else options.groups,
        )
        try:
            costs.append(await account.client.estimate(submission))
        except ProviderError:
            return None
    return sum(costs, Decimal(0)) if costs else None


async def prices_by_country(
    paid: Sequence[tuple[str, Decimal]],
) -> Mapping[str, Decimal]:
    """Return the first price of each country (ISO 3166) among prices by number."""

    def collect() -> Mapping[str, Decimal]:
        prices: dict[str, Decimal] = {}
        for number, price in paid:
            prices.setdefault(country_of(number), price)
        return prices

    return await asyncio.get_running_loop().run_in_executor(None, collect)


def _has_prices(account: Account, options: SendOptions) -> bool:
    """Return whether the cost follows from what was paid for parts.

    Not of a Push, which has no parts, nor of a group, whose size nobody knows.
    """
    return (options.channel or account.channel) is Channel.SMS and not options.groups


def _home(account: Account) -> str:
    """Return the country that a number not given yet is most likely in."""
    allowed = account.options.allowed_countries
    return next(iter(allowed)) if len(allowed) == 1 else _HOME


def _cost_by_prices(
    prices: Mapping[str, Decimal], parts: int, countries: Sequence[str]
) -> Decimal | None:
    """Return the cost of a message to each country, None if any has no price."""
    if not prices.keys() >= set(countries):
        return None
    return sum((prices[country] * parts for country in countries), Decimal(0))
