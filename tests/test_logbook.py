"""The logbook: one sentence for each message, in the language of Home Assistant."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import mock_component
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.sms_italia.const import CONF_FALLBACK, DOMAIN
from simulator import Simulator

from .accounts import Accounts, until
from .states import call

ANNA = "+393331234567"
BRUNO = "+393409876543"
EVENT = "sms_italia_message"

pytestmark = pytest.mark.usefixtures("recorder_mock", "quick")


class Logbook:
    """What a person reads in the logbook of Home Assistant."""

    def __init__(self, hass: HomeAssistant, client: WebSocketGenerator) -> None:
        """Read what happens from now on."""
        self._hass = hass
        self._client = client
        self.begin = dt_util.utcnow()
        self._ends: list[object] = []
        hass.bus.async_listen(EVENT, self._ends.append)

    async def until(self, count: int) -> None:
        """Wait until so many messages came to an end."""
        await until(lambda: len(self._ends) >= count)
        assert len(self._ends) == count

    async def rows(self, **which: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - fields of several types
        """Return what the logbook shows, of some devices or entities if given."""
        await async_wait_recording_done(self._hass)
        client = await self._client(self._hass)
        await client.send_json_auto_id(
            {
                "type": "logbook/get_events",
                "start_time": self.begin.isoformat(),
                "end_time": (dt_util.utcnow() + timedelta(minutes=1)).isoformat(),
                **which,
            }
        )
        answer = await client.receive_json()
        assert answer["success"], answer
        return list(answer["result"])

    async def sentences(self, **which: Any) -> list[str]:  # noqa: ANN401 - fields of several types
        """Return the sentences of ours."""
        rows = await self.rows(**which)
        return [
            f"{one['name']} {one['message']}"
            for one in rows
            if one.get("domain") == DOMAIN
        ]


@pytest.fixture
async def language() -> str:
    """Return the language of Home Assistant."""
    return "en"


@pytest.fixture
async def exclude() -> dict[str, list[str]]:
    """Return what the user leaves out of the logbook."""
    return {}


@pytest.fixture
async def logbook(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    language: str,
    exclude: dict[str, list[str]],
) -> Logbook:
    """Return the logbook."""
    await hass.config.async_update(language=language)
    # The pages of the frontend are not among what tests need.
    mock_component(hass, "frontend")
    config = {"logbook": {"exclude": exclude}}
    for component in ("http", "history", "logbook"):
        assert await async_setup_component(hass, component, config)
    hass.config.components.remove("frontend")
    await hass.async_block_till_done()
    return Logbook(hass, hass_ws_client)


SENTENCES = {
    "en": [
        "SMS to Anna was delivered",
        "SMS to ***543 was not delivered: not enough credit",
        "SMS to Anna was cancelled",
    ],
    "it": [
        "SMS per Anna consegnato",
        "SMS per ***543 non riuscito: credito insufficiente",
        "SMS per Anna annullato",
    ],
}


@pytest.mark.parametrize("language", SENTENCES)
async def test_a_message_is_one_line_that_says_to_whom_its_end_and_why(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    logbook: Logbook,
    language: str,
) -> None:
    """However often its status changes; without the text and the full number."""
    await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, options={"retry_for": 0}
    )
    await call(hass, "send_sms", message="Segreto", numbers=["Anna"])
    for status in ("sent", "delivered"):
        simulator.move(simulator.messages[0].id, status)
        await hass.async_block_till_done()
    await logbook.until(1)
    later = await call(
        hass,
        "send_sms",
        message="Segreto",
        numbers=["Anna"],
        send_at="2035-07-01 08:00:00",
    )
    simulator.set_credit("smshosting", 0)
    with pytest.raises(HomeAssistantError):
        await call(hass, "send_sms", message="Segreto", numbers=[BRUNO])
    await logbook.until(2)
    await call(hass, "cancel", message_id=later["messages"][0]["id"])
    await logbook.until(3)

    rows = await logbook.rows()
    assert await logbook.sentences() == SENTENCES[language]
    assert not [one for one in rows if "last_delivery" in one.get("entity_id", "")]
    assert "Segreto" not in str(rows)
    assert ANNA[1:] not in str(rows)


async def test_it_says_that_a_fallback_account_stepped_in(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, logbook: Logbook
) -> None:
    """And instead of which account."""
    other = await accounts.set_up("inviosmart")
    account = await accounts.set_up(
        "smshosting",
        recipients={"Anna": [ANNA]},
        options={CONF_FALLBACK: [other.entry_id]},
    )
    simulator.set_credit("smshosting", 0)
    await call(
        hass,
        "send_sms",
        message="Ciao",
        numbers=["Anna"],
        config_entry_id=account.entry_id,
    )
    simulator.move(simulator.messages[0].id, "delivered")
    await logbook.until(1)

    assert await logbook.sentences() == [
        "SMS to Anna was delivered (through Inviosmart instead of Smshosting)"
    ]


async def test_a_message_stands_on_the_page_of_its_recipient_or_else_of_its_account(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, logbook: Logbook
) -> None:
    """One without delivery reports too, when it is sent."""
    account = await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, options={"delivery_reports": "off"}
    )
    await call(hass, "send_sms", message="Ciao", numbers=["Anna", BRUNO])
    assert simulator.messages
    await logbook.until(2)

    devices = {
        device.name: device.id
        for device in dr.async_entries_for_config_entry(
            dr.async_get(hass), account.entry_id
        )
    }
    for device, whom in (("Anna", "Anna"), ("Smshosting", "***543")):
        assert await logbook.sentences(device_ids=[devices[device]]) == [
            f"SMS to {whom} was sent, without a delivery report"
        ]


async def test_a_message_to_a_recipient_who_was_removed_stands_with_its_account(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, logbook: Logbook
) -> None:
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await call(hass, "send_sms", message="Ciao", numbers=["Anna"])
    hass.config_entries.async_remove_subentry(account, "anna")
    await hass.async_block_till_done()
    simulator.move(simulator.messages[0].id, "delivered")
    await logbook.until(1)

    assert await logbook.sentences() == ["SMS to ***567 was delivered"]


WAYS: dict[str, Callable[[HomeAssistant], Awaitable[object]]] = {
    "notify.send_message": lambda hass: hass.services.async_call(
        "notify",
        "send_message",
        {"entity_id": "notify.anna", "message": "Ciao"},
        blocking=True,
    ),
    "notify.<account>": lambda hass: hass.services.async_call(
        "notify", "smshosting", {"target": "Anna", "message": "Ciao"}, blocking=True
    ),
    "send_sms": lambda hass: call(
        hass, "send_sms", entity_id="notify.anna", message="Ciao"
    ),
    "button": lambda hass: hass.services.async_call(
        "button", "press", {"entity_id": "button.anna_send_test_message"}, blocking=True
    ),
}


async def send_and_deliver(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    logbook: Logbook,
    way: str,
) -> None:
    """Set an account up; then send to Anna in one of the ways, and let it arrive."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    low = "binary_sensor.smshosting_credit_low"
    await until(lambda: hass.states.is_state(low, "off"))
    logbook.begin = dt_util.utcnow()
    await WAYS[way](hass)
    for status in ("sent", "delivered"):
        simulator.move(simulator.messages[0].id, status)
        await hass.async_block_till_done()
    await logbook.until(1)


def described(row: dict[str, Any]) -> str:
    """Return what a row of the logbook shows; of a change of state, what led to it."""
    if "entity_id" not in row:
        return f"{row['name']} {row['message']}"
    if "context_name" in row:
        return f"{row['entity_id']} by {row['context_name']} {row['context_message']}"
    return str(row["entity_id"])


SENTENCE = "SMS to Anna was delivered"
EVENT_ROW = f"event.smshosting_delivery by {SENTENCE}"


ROWS = {
    "notify.send_message": ["notify.anna", SENTENCE, EVENT_ROW],
    "notify.<account>": [SENTENCE, EVENT_ROW],
    "send_sms": ["notify.anna", SENTENCE, EVENT_ROW],
    "button": ["button.anna_send_test_message", "notify.anna", SENTENCE, EVENT_ROW],
}


@pytest.mark.parametrize("way", ROWS)
async def test_all_rows_of_one_message_are_its_sentence_and_home_assistants_own(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    logbook: Logbook,
    way: str,
) -> None:
    """The time of a notify, an event and a button entity; the event names the SMS."""
    await send_and_deliver(hass, accounts, simulator, logbook, way)
    assert [described(row) for row in await logbook.rows()] == ROWS[way]


@pytest.mark.parametrize(
    "exclude", [{"entities": ["notify.anna"], "entity_globs": ["event.smshosting_*"]}]
)
async def test_the_documented_filter_leaves_one_line_of_one_message(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, logbook: Logbook
) -> None:
    await send_and_deliver(hass, accounts, simulator, logbook, "notify.send_message")
    assert [described(row) for row in await logbook.rows()] == [SENTENCE]
