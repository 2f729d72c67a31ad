"""The hourly question: what it asks, and what its failures become."""

from datetime import timedelta
from decimal import Decimal
import logging
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.sms_italia.const import CONF_DELIVERY_REPORTS, DOMAIN
from custom_components.sms_italia.coordinator import AccountCoordinator
from custom_components.sms_italia.messaging import DeliveryReports, HttpsRequired
from custom_components.sms_italia.providers import (
    PROVIDERS,
    Credit,
    ErrorKind,
    NotAcceptedError,
    PushPlan,
)
from simulator import Fault, Simulator, Toggle
from simulator.model import Operation

from .accounts import Accounts, until
from .line import Line
from .providers.canned import Canned

PLAN = "push/estimate"
"""Nothing else reports a plan."""

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


def coordinator_of(account: MockConfigEntry) -> AccountCoordinator:
    """Return what keeps the account's credit."""
    coordinator = account.runtime_data.coordinator
    assert isinstance(coordinator, AccountCoordinator)
    return coordinator


async def an_hour_later(hass: HomeAssistant, hours: float = 1.01) -> None:
    """Let everything happen that happens every hour."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=hours))
    await hass.async_block_till_done(wait_background_tasks=True)


@EACH_PROVIDER
async def test_one_request_an_hour_proves_the_credentials(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """Also where no credit can be asked for; it sends nothing and costs nothing."""
    account = await accounts.set_up(key)
    first = len(simulator.requests)
    counts = []
    for hours in (0.9, 1.01):
        await an_hour_later(hass, hours)
        counts.append(len(simulator.requests) - first)

    # Only at first it may take one more, to know whether the credit can be asked for.
    assert first <= 2
    assert counts == [0, 1]
    assert coordinator_of(account).last_update_success
    assert len(simulator.messages) == 0


# Credentials that are replaced


def reauth_flows(hass: HomeAssistant) -> int:
    """Return how many flows ask for credentials."""
    flows = hass.config_entries.flow.async_progress()
    return sum(flow["context"]["source"] == SOURCE_REAUTH for flow in flows)


def change_key(
    hass: HomeAssistant, account: MockConfigEntry, simulator: Simulator, secret: str
) -> None:
    """Let the provider have given another secret, which the user enters."""
    simulator.set_credentials("smshosting", auth_secret=secret)
    data = {**account.data, "auth_secret": secret}
    hass.config_entries.async_update_entry(account, data=data)


async def test_a_question_with_credentials_that_are_replaced_asks_for_no_new_ones(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    async with Line(simulator) as line:
        account = await accounts.set_up(
            "smshosting", settings={"url": line.url("smshosting")}
        )
        simulator.set_credentials("smshosting", auth_secret="new")
        line.hold_answers()
        asked = len(simulator.requests)
        asking = hass.async_create_task(coordinator_of(account).async_refresh())
        await until(lambda: len(simulator.requests) > asked)
        before = account.runtime_data.account
        change_key(hass, account, simulator, "new")
        await until(lambda: account.runtime_data.account is not before)
        line.release_answers()
        await asking
        await hass.async_block_till_done(wait_background_tasks=True)

    assert reauth_flows(hass) == 0


async def test_credentials_that_were_replaced_may_be_refused_in_their_turn(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smshosting")
    change_key(hass, account, simulator, "new")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert reauth_flows(hass) == 0

    simulator.set_credentials("smshosting", auth_secret="newer")
    await coordinator_of(account).async_refresh()
    await hass.async_block_till_done()

    assert reauth_flows(hass) == 1


@EACH_PROVIDER
async def test_an_accepted_message_ends_the_request_for_credentials(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """The provider refused the present ones for a while only."""
    account = await accounts.set_up(key)
    valid = simulator.credentials(key)
    simulator.set_credentials(key, **dict.fromkeys(valid, "another"))
    await coordinator_of(account).async_refresh()
    await hass.async_block_till_done()
    assert reauth_flows(hass) == 1

    simulator.set_credentials(key, **valid)
    data = {"message": "Prova", "numbers": "+393331234567"}
    await hass.services.async_call(DOMAIN, "send_sms", data, blocking=True)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert reauth_flows(hass) == 0
    assert not ir.async_get(hass).issues


# Failures


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.REDIRECT, "provider_unavailable"),
        (Fault.TO_HTTPS, "provider_https_required"),
        (Fault.THROTTLED, "provider_throttled"),
        (Fault.HTML, "provider_unavailable"),
        (Fault.CUT_BEFORE_ACCEPT, "provider_unclear"),
    ],
)
async def test_each_way_not_to_answer_has_its_own_error(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    fault: Fault,
    error: str,
) -> None:
    """The last credit known is kept; the next good answer is enough."""
    account = await accounts.set_up("smshosting")
    coordinator = coordinator_of(account)
    simulator.inject("smshosting", fault)

    await an_hour_later(hass)

    assert isinstance(coordinator.last_exception, UpdateFailed)
    assert coordinator.last_exception.translation_key == error
    assert coordinator.last_exception.translation_placeholders == {
        "account": "Smshosting"
    }
    assert isinstance(coordinator.data, Credit)
    await coordinator.async_refresh()
    assert coordinator.last_update_success


async def test_the_wait_that_a_provider_asks_for_is_kept(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Retry-After comes before the hour."""
    account = await accounts.set_up("smshosting")
    simulator.inject("smshosting", Fault.THROTTLED)
    await an_hour_later(hass)
    assert not coordinator_of(account).last_update_success

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=9))
    await hass.async_block_till_done(wait_background_tasks=True)

    assert coordinator_of(account).last_update_success


@pytest.mark.parametrize(
    "fault", [Fault.TRUNCATED_JSON, Fault.HTML, Fault.CUT_BEFORE_ACCEPT]
)
@pytest.mark.parametrize("key", ["smshosting", "inviosmart"])
async def test_a_question_without_an_answer_is_asked_again_ever_more_rarely(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    key: str,
    fault: Fault,
) -> None:
    """After a minute, then two; one good answer and it begins anew."""
    account = await accounts.set_up(key)

    async def is_asked_after(seconds: float) -> bool:
        asked = len(simulator.requests)
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
        await hass.async_block_till_done(wait_background_tasks=True)
        return len(simulator.requests) > asked

    for faults in (3, 1):
        simulator.inject(key, fault, times=faults)
        await an_hour_later(hass)
        for pause in (60, 120, 240)[:faults]:
            assert not coordinator_of(account).last_update_success
            assert not await is_asked_after(pause - 5)
            assert await is_asked_after(pause + 5)
        assert coordinator_of(account).last_update_success


async def test_refused_credentials_are_not_sent_again_before_the_hour(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Many wrong ones may block an account."""
    await accounts.set_up("smshosting")
    simulator.set_credentials("smshosting", auth_secret="another")
    await an_hour_later(hass)
    asked = len(simulator.requests)

    await an_hour_later(hass, 0.9)

    assert len(simulator.requests) == asked


async def test_a_refusal_is_not_silence(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """The provider can be reached, but refuses to answer."""
    account = await accounts.set_up("smsviainternet")
    refusal = NotAcceptedError(ErrorKind.REFUSED, "100")
    client = account.runtime_data.account.client
    with patch.object(client, "check", side_effect=refusal):
        await an_hour_later(hass)

    error = coordinator_of(account).last_exception

    assert isinstance(error, UpdateFailed)
    assert error.translation_key == "provider_refused"


async def test_the_page_of_another_server_is_silence(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """A wrong address, or a firewall: no word of the provider's."""
    account = await accounts.set_up("smsviainternet")
    wrong = {**account.data, "url": f"{simulator.address}/smshosting/rest/api"}
    hass.config_entries.async_update_entry(account, data=wrong)
    await hass.async_block_till_done(wait_background_tasks=True)

    error = coordinator_of(account).last_exception

    assert isinstance(error, UpdateFailed)
    assert error.translation_key == "provider_unavailable"
    assert not hass.config_entries.flow.async_progress()


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR_EMPTY, Fault.HTML, Fault.TRUNCATED_JSON]
)
async def test_a_credit_that_is_not_documented_makes_no_account_unavailable(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, fault: Fault
) -> None:
    """It is asked for again with the next hour."""
    simulator.switch_on("smsviainternet", Toggle.WALLETS)
    simulator.inject("smsviainternet", fault, operation=Operation.CREDIT)
    account = await accounts.set_up("smsviainternet")
    coordinator = coordinator_of(account)

    known = [coordinator.data]
    assert coordinator.last_update_success
    await an_hour_later(hass)
    known.append(coordinator.data)

    assert known == [None, Credit(balance=simulator.account("smsviainternet").credit)]


async def test_wrong_credentials_ask_for_new_ones_once(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """However often they are refused; once they are right again, the credit comes."""
    account = await accounts.set_up("inviosmart")
    simulator.set_credentials("inviosmart", password="another")

    await an_hour_later(hass)
    await an_hour_later(hass, 2.1)

    error = coordinator_of(account).last_exception
    assert isinstance(error, UpdateFailed)
    assert error.translation_key == "provider_auth"
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert flow["context"].get("entry_id") == account.entry_id
    simulator.set_credentials("inviosmart", password=str(account.data["password"]))
    await an_hour_later(hass, 3.2)
    assert coordinator_of(account).last_update_success


async def test_a_lost_provider_is_logged_once(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And once more when it is back."""
    await accounts.set_up("smshosting")
    simulator.inject("smshosting", Fault.HTML, times=3)
    caplog.clear()

    for hours in range(1, 6):
        await an_hour_later(hass, hours * 1.1)

    logger = AccountCoordinator.__module__
    ours = [record for record in caplog.records if record.name == logger]
    assert [r.levelno for r in ours if r.levelno > logging.INFO] == [logging.ERROR]
    assert [r.getMessage() for r in ours if r.levelno == logging.INFO] == [
        "Fetching Smshosting data recovered"
    ]


async def test_a_credit_that_is_offered_is_asked_for_every_hour(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Not after a message, whose response reports it."""
    simulator.switch_on("smsviainternet", Toggle.WALLETS)
    account = await accounts.set_up("smsviainternet")

    def questions() -> int:
        return sum("wallets" in one.path for one in simulator.requests)

    await hass.services.async_call(
        "notify",
        "smsviainternet",
        {"message": "Prova", "target": ["+393331234567"]},
        blocking=True,
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert questions() == 1
    simulator.switch_off("smsviainternet", Toggle.WALLETS)
    await an_hour_later(hass)
    await an_hour_later(hass, 2.1)

    assert questions() == 2
    credit = coordinator_of(account).data
    assert credit is not None
    assert credit.balance == simulator.account("smsviainternet").credit


async def test_the_push_plan_is_asked_about_once_an_hour_where_push_is_used(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
) -> None:
    """However many messages go out meanwhile; their credit is asked for as ever."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    account = await accounts.set_up("smshosting", options={"channel": "push_then_sms"})

    def questions() -> list[str]:
        return [one.path for one in simulator.requests if one.path.endswith(PLAN)]

    for minutes, expected in ((0, 1), (30, 1), (31, 2), (1, 2)):
        freezer.tick(timedelta(minutes=minutes))
        await hass.services.async_call(
            "notify",
            "smshosting",
            {"message": f"Prova {minutes}", "target": ["+393331234567"]},
            blocking=True,
        )
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert len(questions()) == expected

    credit = coordinator_of(account).data
    assert credit is not None
    assert (credit.push_plan, credit.push_left) == (PushPlan.ACTIVE, 900)


@pytest.mark.parametrize(
    ("recipients", "asked"),
    [
        ({"Anna": ["339 1234567"], "Bruno": ["+393331234567"]}, ["393391234567"]),
        ({}, []),
    ],
)
async def test_the_push_plan_is_asked_about_with_the_first_recipient(
    accounts: Accounts,
    socket_enabled: None,  # noqa: ARG001 - loopback sockets
    recipients: dict[str, list[str]],
    asked: list[str],
) -> None:
    """Where the profile has no mobile; without a recipient it is not asked about."""
    async with Canned() as canned:
        canned.answer({"credit": 3, "msisdn": "", "phone": "06123456"})
        canned.answer({"cost": 0, "pushAvailable": 12})
        account = await accounts.set_up(
            "smshosting",
            settings={"url": canned.url},
            options={"channel": "push_then_sms"},
            recipients=recipients,
        )
        forms = [one.form for one in canned.seen if one.path.endswith(PLAN)]

    assert [form["to"] for form in forms] == asked
    credit = coordinator_of(account).data
    assert credit is not None
    assert credit.push_left == (12 if asked else None)


@pytest.mark.parametrize("options", [{}, {"channel": "push_then_sms"}])
async def test_an_amount_that_cannot_be_read_keeps_the_last_credit(
    hass: HomeAssistant,
    accounts: Accounts,
    socket_enabled: None,  # noqa: ARG001 - loopback sockets
    options: dict[str, str],
) -> None:
    """The answer proves the credentials all the same, also with the Push plan."""
    async with Canned() as canned:
        canned.answer({"credit": 3, "msisdn": ""})
        canned.answer({"credit": "1,112", "msisdn": ""})
        account = await accounts.set_up(
            "smshosting", settings={"url": canned.url}, options=options
        )
        coordinator = coordinator_of(account)
        first = coordinator.data
        await an_hour_later(hass)
        asked = len(canned.seen)

    assert asked == 2
    assert coordinator.last_update_success
    assert coordinator.data == first == Credit(balance=Decimal(3))


@pytest.mark.parametrize("reports", DeliveryReports)
async def test_https_is_required_no_more_once_a_message_was_accepted(
    hass: HomeAssistant, accounts: Accounts, reports: DeliveryReports
) -> None:
    """Also where nobody follows the message any further."""
    account = await accounts.set_up(
        "smshosting", options={CONF_DELIVERY_REPORTS: reports}
    )
    coordinator = coordinator_of(account)
    coordinator.handle_event(HttpsRequired(account=account.entry_id))
    assert coordinator.requires_https
    data = {"message": "Prova", "numbers": "+393331234567"}
    await hass.services.async_call("sms_italia", "send_sms", data, blocking=True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not coordinator.requires_https


async def test_a_push_that_was_sent_makes_the_plan_worth_asking_about(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Although the account's option is SMS alone."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").push_phones.add("+393331234567")
    account = await accounts.set_up("smshosting")

    async def send(channel: str) -> Credit:
        await hass.services.async_call(
            "sms_italia",
            "send_sms",
            {"message": channel, "numbers": "+393331234567", "channel": channel},
            blocking=True,
        )
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=11))
        await hass.async_block_till_done(wait_background_tasks=True)
        credit = coordinator_of(account).data
        assert credit is not None
        return credit

    assert (await send("sms")).push_plan is PushPlan.UNKNOWN
    assert (await send("push")).push_left == 899


async def test_many_messages_cause_few_questions(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The credit is asked for after the first one, and once more when it is quiet."""
    account = await accounts.set_up(
        "smshosting", recipients={"Anna": ["+393331234567"]}
    )
    for number in range(5):
        await hass.services.async_call(
            "notify", "smshosting", {"message": f"Prova {number}"}, blocking=True
        )
    await hass.async_block_till_done(wait_background_tasks=True)

    def questions() -> int:
        return sum(one.operation is Operation.CREDIT for one in simulator.requests)

    assert questions() == 2
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=11))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert questions() == 3
    credit = coordinator_of(account).data
    assert credit is not None
    assert credit.balance == simulator.account("smshosting").credit


# An account that changes


async def test_only_another_address_is_not_known_to_demand_https(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Nor if it does not answer yet."""
    account = await accounts.set_up("smshosting")
    coordinator = coordinator_of(account)
    coordinator.handle_event(HttpsRequired(account=account.entry_id))
    simulator.inject("smshosting", Fault.SERVER_ERROR_EMPTY, 10)

    hass.config_entries.async_update_entry(account, title="Casa")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert coordinator.requires_https
    assert coordinator.name == "Casa"

    data = {**account.data, "url": f"{account.data['url']}/v2"}
    hass.config_entries.async_update_entry(account, data=data)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not coordinator.requires_https


async def test_a_credit_stays_known_while_the_account_is_changed(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smshosting")
    known = coordinator_of(account).data
    simulator.inject("smshosting", Fault.SERVER_ERROR_EMPTY, 10)

    hass.config_entries.async_update_entry(
        account, data={**account.data, "sender": "Nonna"}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert known is not None
    assert coordinator_of(account).data == known
