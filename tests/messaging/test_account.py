"""Accounts: what each may do, and waiting for one that is being loaded."""

import asyncio
from decimal import Decimal
from math import inf

import pytest

from custom_components.sms_italia.messaging import account as module
from custom_components.sms_italia.messaging.account import (
    Account,
    Accounts,
    DeliveryReports,
)
from custom_components.sms_italia.messaging.errors import Refusal, RequestRefusedError
from custom_components.sms_italia.providers import Feature

from .state.helpers import an_account

LONG = 60


class Loading:
    """Accounts, and those of them that are expected."""

    def __init__(self) -> None:
        """Start with none."""
        self.expected = {"casa"}
        self.accounts = Accounts(lambda one: one in self.expected)

    def wait_for(
        self, account_id: str = "casa", seconds: float = LONG
    ) -> asyncio.Task[Account]:
        """Begin to wait for an account."""
        until = asyncio.get_running_loop().time() + seconds
        return asyncio.create_task(self.accounts.wait_for(account_id, until))


@pytest.fixture
def loading() -> Loading:
    return Loading()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often whether an account is still expected."""
    monkeypatch.setattr(module, "_LOOK_AGAIN", 0.005)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never look by itself: whoever waits has to be woken up."""
    monkeypatch.setattr(module, "_LOOK_AGAIN", LONG)


async def refusal_of(task: asyncio.Task[Account]) -> Refusal:
    """Return why waiting for an account was refused."""
    async with asyncio.timeout(5):
        with pytest.raises(RequestRefusedError) as refused:
            await task
    return refused.value.reason


# Waiting


async def test_an_attached_account_is_there_at_once(loading: Loading) -> None:
    loading.expected.clear()
    account = an_account()
    loading.accounts.attach(account)
    assert await loading.wait_for() is account


async def test_an_account_that_is_not_expected_is_refused_at_once(
    loading: Loading,
) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        await loading.accounts.wait_for("mare", inf)
    assert refused.value.reason is Refusal.ACCOUNT_NOT_LOADED


@pytest.mark.usefixtures("patient")
async def test_an_account_that_is_being_loaded_is_waited_for(loading: Loading) -> None:
    loading.expected.add("mare")
    first, second, other = (loading.wait_for(one) for one in ("casa", "casa", "mare"))
    await asyncio.sleep(0.01)
    assert not first.done()
    account = an_account()
    loading.accounts.attach(account)
    async with asyncio.timeout(5):
        assert await first is await second is account
    await asyncio.sleep(0)
    # It looked, and goes on waiting for its own.
    assert not other.done()
    another = an_account(id="mare")
    loading.accounts.attach(another)
    assert await other is another


@pytest.mark.usefixtures("quick")
async def test_an_account_that_is_expected_no_more_is_refused(
    loading: Loading,
) -> None:
    waiting = loading.wait_for()
    await asyncio.sleep(0.02)
    assert not waiting.done()
    loading.expected.clear()
    assert await refusal_of(waiting) is Refusal.ACCOUNT_NOT_LOADED


@pytest.mark.usefixtures("quick")
async def test_an_account_that_takes_too_long_is_refused(loading: Loading) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    waiting = loading.wait_for(seconds=0.03)
    assert await refusal_of(waiting) is Refusal.ACCOUNT_NOT_LOADED
    assert 0.03 <= loop.time() - begin < 5


@pytest.mark.usefixtures("patient")
async def test_whoever_waits_when_all_is_closed_is_refused(loading: Loading) -> None:
    waiting = [loading.wait_for(), loading.wait_for()]
    await asyncio.sleep(0.01)
    loading.accounts.attach(an_account(id="mare"))
    loading.accounts.close()
    assert not loading.accounts
    for one in waiting:
        assert await refusal_of(one) is Refusal.ACCOUNT_NOT_LOADED
    # Nor is anything waited for afterwards, until an account is attached again.
    assert await refusal_of(loading.wait_for()) is Refusal.ACCOUNT_NOT_LOADED
    loading.accounts.attach(an_account(id="mare"))
    again = loading.wait_for()
    await asyncio.sleep(0.01)
    assert not again.done()
    again.cancel()


@pytest.mark.usefixtures("patient")
async def test_an_account_that_is_detached_is_waited_for_again(
    loading: Loading,
) -> None:
    loading.accounts.attach(an_account())
    loading.accounts.detach("casa")
    loading.accounts.detach("never there")
    waiting = loading.wait_for()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    account = an_account()
    loading.accounts.attach(account)
    assert await waiting is account


async def test_attached_accounts_are_a_mapping_by_id(loading: Loading) -> None:
    first, second, other = an_account(), an_account(), an_account(id="mare")
    for account in (first, other, second):
        loading.accounts.attach(account)
    assert dict(loading.accounts) == {"casa": second, "mare": other}
    assert len(loading.accounts) == 2


# One account


def test_a_route_begins_with_the_account_and_has_each_once() -> None:
    account = an_account(fallback=("riserva", "casa", "mare", "riserva"))
    assert account.route == ("casa", "riserva", "mare")


@pytest.mark.parametrize(("chosen", "most"), [(None, 10), (3, 3), (12, 10)])
def test_the_provider_and_the_user_bound_the_parts_of_a_message(
    chosen: int | None, most: int
) -> None:
    assert an_account(max_parts=chosen).max_parts == most


@pytest.mark.parametrize(
    ("limit", "balance", "is_low"),
    [("5", "4.99", True), ("5", "5", False), ("0", "-1", False)],
)
def test_a_balance_below_the_limit_is_low_unless_there_is_no_limit(
    limit: str, balance: str, *, is_low: bool
) -> None:
    account = an_account(low_credit=Decimal(limit))
    assert account.is_low(Decimal(balance)) is is_low


@pytest.mark.parametrize(
    ("reports", "tracks"),
    [
        (DeliveryReports.AUTO, True),
        (DeliveryReports.POLL, True),
        (DeliveryReports.OFF, False),
    ],
)
def test_delivery_is_found_out_where_it_can_be_and_is_wanted(
    reports: DeliveryReports, *, tracks: bool
) -> None:
    with_poll = an_account(Feature.DELIVERY_POLL, delivery_reports=reports)
    assert with_poll.tracks_delivery is tracks
    assert not an_account(delivery_reports=reports).tracks_delivery


@pytest.mark.parametrize(
    ("wanted", "used"), [(None, None), ("Casa", "Casa"), ("x" * 12, None)]
)
def test_a_sender_is_used_where_the_provider_allows_it(
    wanted: str | None, used: str | None
) -> None:
    assert an_account().sender_for(wanted) == used
