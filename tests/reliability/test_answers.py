"""What a user sees of single answers of a provider's server, from socket to state."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
import json
import time
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER
from homeassistant.const import CONF_WEBHOOK_ID, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from yarl import URL

from custom_components.sms_italia.const import CONF_DAILY_LIMIT, CONF_FALLBACK, DOMAIN
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Operation, Simulator

from ..accounts import Accounts, as_input, settings_for, until
from ..providers.canned import Seen
from ..states import attribute, call, state_of
from .answers import (
    ACCEPTED,
    DELIVERED,
    ID,
    NUMBER,
    PROVED,
    Answers,
    Reply,
    as_html,
    as_json,
)

LATER = "2035-07-01 08:00:00+00:00"
MOST_SECONDS = 1
"""Of the processor, for an answer that cannot be read."""
LONGEST_WAIT = timedelta(minutes=5)
A_SECOND = timedelta(seconds=1)

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)
INVIOSMART = pytest.mark.parametrize("key", ["inviosmart"])
SMSHOSTING = pytest.mark.parametrize("key", ["smshosting"])
TRANSACTIONALE = pytest.mark.parametrize("key", ["transactionale"])

pytestmark = pytest.mark.usefixtures("quick", "socket_enabled")


@pytest.fixture
async def answers(key: str) -> AsyncIterator[Answers]:
    """Return the server in the provider's place."""
    async with Answers(key) as answers:
        yield answers


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with one account, who sends and looks."""

    hass: HomeAssistant
    account: MockConfigEntry

    async def send(self, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - as an automation writes them
        """Send to NUMBER; return the message as the history shows it."""
        with suppress(HomeAssistantError):
            await call(
                self.hass,
                "send_sms",
                config_entry_id=self.account.entry_id,
                message=data.pop("message", "Prova"),
                numbers=[NUMBER],
                **data,
            )
        await self.hass.async_block_till_done(wait_background_tasks=True)
        return await self.last_message()

    async def last_message(self) -> dict[str, Any]:
        """Return the newest message."""
        found = await call(self.hass, "find_messages", limit=1)
        return dict(found["messages"][0])

    async def until(self, status: str) -> dict[str, Any]:
        """Wait until the newest message is shown with a status, and return it."""
        await until(lambda: state_of(self.hass, self.sensor) == status)
        return await self.last_message()

    @property
    def sensor(self) -> str:
        """The ID of the sensor that shows the newest message."""
        return f"sensor.{self.account.data['provider']}_last_delivery_status"

    async def refresh(self) -> bool:
        """Let the account be checked; return whether the provider was reached."""
        coordinator = self.account.runtime_data.coordinator
        await coordinator.async_refresh()
        await self.hass.async_block_till_done(wait_background_tasks=True)
        return bool(coordinator.last_update_success)

    @property
    def is_asked_to_log_in(self) -> bool:
        """Whether Home Assistant asks for new credentials."""
        flows = self.hass.config_entries.flow.async_progress()
        return any(flow["context"]["source"] == SOURCE_REAUTH for flow in flows)


@pytest.fixture
async def user(
    hass: HomeAssistant, accounts: Accounts, answers: Answers, key: str
) -> User:
    """Return somebody with an account at the server."""
    account = await accounts.set_up(key, settings={"url": answers.url})
    return User(hass=hass, account=account)


async def submit_form(
    hass: HomeAssistant, simulator: Simulator, key: str, **changes: str
) -> dict[str, Any]:
    """Fill in the form for a new account; return what it leads to."""
    menu = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    form = await hass.config_entries.flow.async_configure(
        menu["flow_id"], {"next_step_id": key}
    )
    settings = settings_for(simulator, key, **changes)
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], as_input(PROVIDERS[key].fields, settings)
    )
    await hass.async_block_till_done()
    return dict(result)


# Sending

PRINTED = """{
  "id": 15066,
  "phone": "393480000000",
  "status": "pending",
  "delivery_status": "unknown",
  "url": "https://api.transactionale.com/platform/api/sms/send/15066",
}"""
"""As the page prints it, with a comma before the brace."""
WARNING = (
    "<br />\n<b>Warning</b>:  Undefined array key in /srv/api.php on line 9<br />\n"
)


@pytest.mark.parametrize(
    ("key", "reply", "error"),
    [
        pytest.param(
            "inviosmart",
            as_html("Invalid destination or Destination not covered."),
            "recipient",
            id="sentence-without-a-number",
        ),
        pytest.param("inviosmart", as_html(f"ok id:{ID}"), None, id="small-letters"),
        pytest.param(
            "transactionale", Reply(body=PRINTED, status=201), None, id="extra-comma"
        ),
        pytest.param(
            "transactionale",
            as_json({"id": int(ID), "url": "//api.transactionale.com/x/1"}, 201),
            None,
            id="address-without-a-scheme",
        ),
        pytest.param(
            "smsviainternet",
            as_json({"error": 10, "queue_id": None, "credit": 0}),
            "credit",
            id="error-without-an-id",
        ),
        pytest.param(
            "smsviainternet",
            as_html(WARNING + ACCEPTED["smsviainternet"].body),
            None,
            id="warning-before-it",
        ),
    ],
)
async def test_the_answer_to_a_send_is_read_for_what_it_says(
    user: User, answers: Answers, reply: Reply, error: str | None
) -> None:
    """Accepted with its ID, or not sent and why; never in doubt."""
    answers.write(Operation.SEND, reply)

    message = await user.send()

    assert message["status"] != "uncertain"
    assert message["error"] == error
    assert message["provider_id"] == (ID if error is None else None)


@SMSHOSTING
@pytest.mark.parametrize("sandbox", [True, False])
async def test_a_row_without_an_id_is_accepted(
    hass: HomeAssistant,
    accounts: Accounts,
    answers: Answers,
    key: str,
    sandbox: bool,  # noqa: FBT001 - both modes are tried
) -> None:
    """Outside the sandbox it is followed by the reference of the send."""
    sent = json.loads(ACCEPTED[key].body)
    sent["sms"][0]["id"] = None
    answers.write(Operation.SEND, as_json(sent))
    answers.write(Operation.STATUS, DELIVERED[key])
    account = await accounts.set_up(
        key, settings={"url": answers.url}, options={"sandbox": sandbox}
    )
    user = User(hass=hass, account=account)

    message = await user.send()

    assert (message["status"], message["error"]) == ("queued", None)
    if sandbox:
        assert not answers.asked(Operation.STATUS)
        return
    assert (await user.until("delivered"))["provider_id"] == ID
    reference = answers.asked(Operation.SEND)[0].form["transactionId"]
    (asked, *_) = answers.asked(Operation.STATUS)
    assert asked.query["transactionId"] == reference


FIREWALL = as_html("<html><title>Attention Required!</title></html>", 403)
DOWN = as_html("<html>Web server is down</html>", 521)
BUSY = Reply(body="{}", status=429, headers={"Retry-After": "86400"})


@EACH_PROVIDER
@pytest.mark.parametrize("page", [FIREWALL, DOWN], ids=["firewall", "down"])
async def test_a_send_that_a_page_answers_is_tried_again(
    user: User, answers: Answers, key: str, page: Reply
) -> None:
    """Meanwhile it waits, and nobody is asked for credentials."""
    answers.write(Operation.SEND, page)
    waiting = await user.send()
    assert (waiting["status"], waiting["error"]) == ("queued", "unavailable")

    answers.write(Operation.SEND, ACCEPTED[key])
    await until(lambda: attribute(user.hass, user.sensor, "error") is None)

    assert (await user.last_message())["provider_id"] == ID
    assert not user.is_asked_to_log_in


@EACH_PROVIDER
async def test_a_provider_that_asks_to_wait_for_a_day_is_tried_long_before(
    user: User, answers: Answers, key: str
) -> None:
    """After five minutes at the latest, and at once after a reload.

    Meanwhile an issue says what the provider asks.
    """
    issue_id = f"provider_wait_{user.account.entry_id}"
    find_issue = partial(ir.async_get(user.hass).async_get_issue, DOMAIN, issue_id)
    answers.write(Operation.SEND, BUSY)
    waiting = await user.send()
    assert (waiting["status"], waiting["error"]) == ("queued", "throttled")
    (message,) = user.account.runtime_data.messenger.open_messages(
        user.account.entry_id
    )
    assert message.attempt_at is not None
    assert message.attempt_at <= time.time() + LONGEST_WAIT.total_seconds()
    await until(find_issue)
    issue = find_issue()
    assert issue is not None
    assert issue.translation_placeholders == {
        "account": user.account.title,
        "minutes": "1440",
    }

    answers.write(Operation.SEND, ACCEPTED[key])
    assert await user.hass.config_entries.async_reload(user.account.entry_id)
    await until(lambda: len(answers.asked(Operation.SEND)) > 1)
    assert find_issue() is None


@EACH_PROVIDER
async def test_an_account_that_asks_to_wait_for_a_day_is_checked_long_before(
    user: User, answers: Answers, key: str
) -> None:
    answers.write(Operation.CREDIT, BUSY)
    assert not await user.refresh()
    answers.write(Operation.CREDIT, PROVED[key])

    async_fire_time_changed(user.hass, dt_util.utcnow() + LONGEST_WAIT + A_SECOND)
    await user.hass.async_block_till_done(wait_background_tasks=True)

    assert user.account.runtime_data.coordinator.last_update_success


@INVIOSMART
async def test_a_sender_of_digits_is_refused_before_anything_is_sent(
    user: User, simulator: Simulator, answers: Answers, key: str
) -> None:
    """In the form and in the action: the page wants a letter."""
    digits = "39333123456"
    hass = user.hass

    form = await submit_form(
        hass, simulator, key, url=answers.url, username="altri", sender=digits
    )
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "send_sms", message="Prova", numbers=[NUMBER], sender=digits)

    assert form["errors"] == {"sender": "invalid_sender"}
    assert caught.value.translation_key == "invalid_sender"
    assert not answers.asked(Operation.SEND)


# Asking about the account


@INVIOSMART
async def test_amounts_of_thousands_are_read_whole(
    user: User, answers: Answers
) -> None:
    line = "Status: 1000 - Balance:1,112.24|SmsRemainCount:19,513"
    answers.write(Operation.CREDIT, as_html(line))

    assert await user.refresh()

    assert state_of(user.hass, "sensor.inviosmart_credit") == "1112.24"
    assert state_of(user.hass, "sensor.inviosmart_sms_left") == "19513"


@INVIOSMART
async def test_a_long_answer_without_sense_takes_no_time(
    user: User, answers: Answers
) -> None:
    """Home Assistant stands still while an answer is read."""
    answers.write(Operation.CREDIT, as_html("a" * 24_000))
    before = time.process_time()

    assert not await user.refresh()

    assert time.process_time() - before < MOST_SECONDS
    assert state_of(user.hass, "sensor.inviosmart_credit") == STATE_UNAVAILABLE


@EACH_PROVIDER
async def test_a_firewall_before_the_account_asks_for_no_credentials(
    user: User, answers: Answers, key: str
) -> None:
    """The account is there again with the next answer."""
    answers.write(Operation.CREDIT, FIREWALL)
    reached = [await user.refresh()]
    answers.write(Operation.CREDIT, PROVED[key])
    reached.append(await user.refresh())

    assert reached == [False, True]
    assert not user.is_asked_to_log_in


@EACH_PROVIDER
async def test_a_firewall_at_set_up_does_not_blame_the_credentials(
    hass: HomeAssistant, simulator: Simulator, answers: Answers, key: str
) -> None:
    """The same form makes the account later."""
    answers.write(Operation.CREDIT, FIREWALL)
    form = await submit_form(hass, simulator, key, url=answers.url)
    answers.write(Operation.CREDIT, PROVED[key])
    result = await submit_form(hass, simulator, key, url=answers.url)

    assert form["errors"] == {"base": "cannot_connect"}
    assert result["type"] is FlowResultType.CREATE_ENTRY


def trusting(proved: Reply) -> Any:  # noqa: ANN401 - a function of one request
    """Return a server's answer to a login that believes its own cookie."""

    def reply(seen: Seen) -> Reply:
        if "Cookie" in seen.headers:
            return proved
        return as_json({"errorMsg": "BAD_CREDENTIALS", "errorCode": 401}, 401)

    return reply


@SMSHOSTING
async def test_the_cookie_of_one_account_never_goes_with_another(
    hass: HomeAssistant, simulator: Simulator, answers: Answers, key: str
) -> None:
    """A wrong password makes no account, whatever the server remembers."""
    proved = PROVED[key]
    cookie = {"Set-Cookie": "PHPSESSID=of-the-first; path=/"}
    answers.write(Operation.CREDIT, Reply(body=proved.body, headers=cookie))
    first = await submit_form(hass, simulator, key, url=answers.url)
    answers.write(Operation.CREDIT, trusting(proved))
    second = await submit_form(
        hass, simulator, key, url=answers.url, auth_key="another", auth_secret="wrong"
    )

    assert first["type"] is FlowResultType.CREATE_ENTRY
    assert second["errors"] == {"base": "invalid_auth"}
    assert not any("Cookie" in one.headers for one in answers.asked(Operation.CREDIT))


# What comes afterwards


@EACH_PROVIDER
async def test_a_firewall_before_a_report_changes_nothing(
    user: User, answers: Answers, key: str
) -> None:
    """The message keeps its status, and is asked about again."""
    answers.write(Operation.SEND, ACCEPTED[key])
    answers.write(Operation.STATUS, FIREWALL, FIREWALL, DELIVERED[key])

    await user.send()
    message = await user.until("delivered")

    assert message["provider_id"] == ID
    assert not user.is_asked_to_log_in


@INVIOSMART
async def test_parts_beyond_reason_do_not_use_up_the_day(
    hass: HomeAssistant, accounts: Accounts, answers: Answers, key: str
) -> None:
    line = DELIVERED[key].body.replace(":1:0.057", ":1000000:0.057")
    answers.write(Operation.SEND, ACCEPTED[key])
    answers.write(Operation.STATUS, as_html(line))
    account = await accounts.set_up(
        key, settings={"url": answers.url}, options={CONF_DAILY_LIMIT: 2}
    )
    user = User(hass=hass, account=account)

    await user.send()
    delivered = await user.until("delivered")
    await user.send(message="Un altro allarme")

    assert delivered["parts"] == 1
    assert len(answers.asked(Operation.SEND)) == 2


@TRANSACTIONALE
async def test_a_message_is_read_on_the_path_that_lives(
    user: User, answers: Answers, key: str
) -> None:
    """It is remembered for the next one."""

    def by_path(seen: Seen) -> Reply:
        lives = seen.path.startswith("/api/v1/send/")
        return DELIVERED[key] if lives else Reply(status=404)

    answers.write(Operation.SEND, ACCEPTED[key])
    answers.write(Operation.STATUS, by_path)
    for text in ("Prova", "Un altro allarme"):
        await user.send(message=text)
        await user.until("delivered")

    assert [seen.path for seen in answers.asked(Operation.STATUS)] == [
        f"/platform/api/sms/send/{ID}",
        f"/api/v1/send/{ID}",
        f"/api/v1/send/{ID}",
    ]


@SMSHOSTING
@pytest.mark.parametrize("is_listed", [True, False])
async def test_a_message_is_cancelled_if_the_provider_lists_it(
    user: User,
    answers: Answers,
    key: str,
    is_listed: bool,  # noqa: FBT001 - both answers are tried
) -> None:
    """As a bare list; one that is not in it was sent already."""
    row = {"id": int(ID), "to": NUMBER[1:], "status": "NOSENT", "price": 0}
    answers.write(Operation.SEND, ACCEPTED[key])
    answers.write(Operation.OTHER, as_json([row] if is_listed else []))
    message = await user.send(send_at=LATER)

    error = None
    try:
        await call(user.hass, "cancel", message_id=message["id"])
    except ServiceValidationError as err:
        error = err.translation_key

    (cancel,) = answers.asked(Operation.OTHER)
    assert (cancel.path, cancel.form) == ("/sms/cancel", {"id": ID})
    message = await user.last_message()
    if is_listed:
        assert (error, message["status"]) == (None, "failed")
        assert message["error"] == "cancelled"
    else:
        assert (error, message["status"]) == ("too_late_to_cancel", "queued")


# Callbacks

type Web = TestClient[Any, Any]


def callback_of(answers: Answers, field: str) -> str:
    """Return the path and query that a send gave its provider for callbacks."""
    (seen,) = answers.asked(Operation.SEND)
    given = json.loads(seen.body) if seen.body.startswith("{") else seen.form
    return URL(given[field]).raw_path_qs


@SMSHOSTING
async def test_a_callback_reports_the_delivery_with_its_time(
    web: Web, user: User, answers: Answers, key: str
) -> None:
    """Nothing is asked of the provider for it."""
    answers.write(Operation.SEND, ACCEPTED[key])
    sent = await user.send()
    moment = dt_util.parse_datetime(sent["created"], raise_on_error=True)
    moment = (moment + A_SECOND).replace(microsecond=0)
    await asyncio.sleep((moment - dt_util.utcnow()).total_seconds())
    async with web.post(
        callback_of(answers, "statusCallback"),
        data={
            "id": ID,
            "transactionId": answers.asked(Operation.SEND)[0].form["transactionId"],
            "to": NUMBER[1:],
            "status": "DELIVERED",
            "notificationDate": f"{moment:%Y-%m-%dT%H:%M:%S%z}",
        },
    ) as response:
        assert response.status == 200
    message = await user.until("delivered")

    assert not answers.asked(Operation.STATUS)
    assert datetime.fromisoformat(message["updated"]) == moment


@SMSHOSTING
async def test_a_callback_that_refuses_a_bulk_lets_its_messages_go_on(  # noqa: PLR0913, PLR0917 - fixtures
    web: Web,
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    answers: Answers,
    key: str,
) -> None:
    """For want of credit: they are sent by the next account of the route."""
    other = await accounts.set_up("transactionale")
    account = await accounts.set_up(
        key,
        settings={"url": answers.url},
        options={CONF_FALLBACK: [other.entry_id]},
    )
    user = User(hass=hass, account=account)
    answers.write(Operation.SEND, ACCEPTED[key])
    sent = await user.send()
    reference = answers.asked(Operation.SEND)[0].form["transactionId"]
    report = {"status": "ERROR", "errorMsg": "NO_CREDIT", "transactionId": reference}

    async with web.post(callback_of(answers, "statusCallback"), json=report) as reply:
        assert reply.status == 200
    await until(lambda: simulator.messages)

    assert simulator.messages[0].to == NUMBER
    (found,) = (await call(hass, "find_messages"))["messages"]
    assert (found["id"], found["account"]) == (sent["id"], other.title)
    assert found["error"] is None
    assert len(answers.asked(Operation.SEND)) == 1


@TRANSACTIONALE
@pytest.mark.parametrize("query", ["", "?submission=", "?submission=guessed"])
@pytest.mark.parametrize("status", ["delivered", "failed"])
async def test_a_callback_without_the_reference_changes_nothing(  # noqa: PLR0913, PLR0917 - fixtures
    web: Web, user: User, answers: Answers, key: str, query: str, status: str
) -> None:
    """Although its ID and its number are right."""
    answers.write(Operation.SEND, ACCEPTED[key])
    await user.send()
    path = f"/api/webhook/{user.account.data[CONF_WEBHOOK_ID]}{query}"
    report = {"sms_id": int(ID), "phone": NUMBER[1:], "status": status}
    webhook = user.account.runtime_data.webhook

    async with web.post(path, json=report) as response:
        assert response.status == 200
    await until(lambda: webhook.ignored)

    assert (await user.last_message())["status"] == "queued"
    assert state_of(user.hass, user.sensor) == "queued"
