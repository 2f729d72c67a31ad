"""The tool of Assist, asked for and called as a conversation agent does."""

from collections.abc import Mapping
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.auth.models import User
from homeassistant.components.homeassistant import DOMAIN as HOMEASSISTANT_DOMAIN
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir, llm
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.sms_italia.const import CONF_DAILY_LIMIT, DOMAIN
from custom_components.sms_italia.llm import async_get_tools
from simulator import Simulator

from .accounts import Accounts, arrived
from .states import state_of

ANNA = "+393331234567"
BRUNO = "+393409876543"
NAME = "sms_italia__send_sms"

ASSISTANT = "conversation"
"""Whose exposed entities are those of Assist."""

HAS_RESULTS = hasattr(llm, "ToolResult")
needs_results = pytest.mark.skipif(not HAS_RESULTS, reason="no results of tools yet")

type Answer = Mapping[str, Any]


def asked_by(user: User | None = None) -> llm.LLMContext:
    """Return the context of a request by a user, or by a voice device."""
    return llm.LLMContext(
        platform="test",
        context=Context(user_id=user.id if user else None),
        language="it",
        assistant=ASSISTANT,
        device_id=None,
    )


@pytest.fixture(autouse=True)
async def _assist(hass: HomeAssistant) -> None:
    """Set up what Assist needs."""
    for component in (HOMEASSISTANT_DOMAIN, "llm"):
        assert await async_setup_component(hass, component, {})


def expose(hass: HomeAssistant, *entities: str) -> None:
    """Expose entities to Assist."""
    for entity_id in entities:
        async_expose_entity(hass, ASSISTANT, entity_id, should_expose=True)


async def tools(hass: HomeAssistant) -> dict[str, llm.Tool]:
    """Return the tools that a conversation agent gets."""
    api = await llm.async_get_api(hass, llm.LLM_API_ASSIST, asked_by())
    return {tool.name: tool for tool in api.tools}


async def write(
    hass: HomeAssistant,
    recipient: str,
    message: str = "Arrivo tardi",
    user: User | None = None,
) -> Answer:
    """Let the model write to a recipient; return what it gets."""
    api = await llm.async_get_api(hass, llm.LLM_API_ASSIST, asked_by(user))
    args = {"recipient": recipient, "message": message}
    result = await api.async_call_tool(llm.ToolInput(NAME, args))
    await hass.async_block_till_done(wait_background_tasks=True)
    json.dumps(result.data)
    assert result.error is ("error" in result.data)
    return result.data


@needs_results
async def test_a_message_goes_to_an_exposed_recipient(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The model gets the name and the statuses, no number and no text."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA, BRUNO]})
    expose(hass, "notify.anna")

    answer = await write(hass, "Anna")

    assert sorted(arrived(simulator)) == [
        (number, "Arrivo tardi") for number in (ANNA, BRUNO)
    ]
    assert answer == {"recipient": "Anna", "status": ["queued", "queued"]}
    assert state_of(hass, "notify.anna") != "unknown"


@needs_results
async def test_only_exposed_recipients_can_be_named(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """No number, and no option."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]})
    expose(hass, "notify.anna")
    tool = (await tools(hass))[NAME]

    assert {str(key) for key in tool.parameters.schema} == {"recipient", "message"}
    for recipient in ("Bruno", BRUNO):
        with pytest.raises(Exception, match="recipient"):
            await write(hass, recipient)
    assert arrived(simulator) == []


@needs_results
async def test_a_recipient_that_is_hidden_meanwhile_gets_nothing(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    expose(hass, "notify.anna")
    tool = (await tools(hass))[NAME]
    async_expose_entity(hass, ASSISTANT, "notify.anna", should_expose=False)

    args = {"recipient": "Anna", "message": "Ciao"}
    result = await tool.async_call(hass, llm.ToolInput(NAME, args), asked_by())

    assert isinstance(result, llm.ToolResult)
    assert (result.data, result.error) == ({"error": "unknown_recipient"}, True)
    assert arrived(simulator) == []


@needs_results
async def test_of_two_recipients_of_one_name_neither_is_guessed(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await accounts.set_up("inviosmart", recipients={"Anna": [BRUNO]})
    expose(hass, "notify.anna", "notify.anna_inviosmart")
    for entity_id in ("notify.anna", "notify.anna_inviosmart"):
        # Their own names tell them apart; a user may give both the same alias.
        er.async_get(hass).async_update_entity(entity_id, aliases=["Anna"])

    answer = await write(hass, "Anna")

    assert answer == {"error": "several_recipients_of_this_name"}
    assert arrived(simulator) == []


@needs_results
async def test_five_messages_in_ten_minutes_are_the_most(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A recipient of two numbers gets two; whatever the account."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA, BRUNO]})
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})
    expose(hass, "notify.anna", "notify.bruno")
    too_many = {"error": "too_many_messages_in_ten_minutes"}

    await write(hass, "Anna", "Uno")
    await write(hass, "Anna", "Due")
    assert await write(hass, "Anna", "Tre") == too_many
    assert "error" not in await write(hass, "Bruno")
    assert await write(hass, "Bruno", "Ancora") == too_many
    assert len(arrived(simulator)) == 5

    freezer.tick(601)
    assert "error" not in await write(hass, "Anna", "Quattro")


@needs_results
@pytest.mark.parametrize("may", [True, False])
async def test_a_user_must_be_allowed_to_control_the_recipient(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, *, may: bool
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    expose(hass, "notify.anna")
    user = MockUser().add_to_hass(hass)
    rights = {"notify.anna": {"control": True, "read": True}} if may else {}
    user.mock_policy({"entities": {"entity_ids": rights}})

    answer = await write(hass, "Anna", user=user)

    assert ("error" in answer) is not may
    assert len(arrived(simulator)) == may


@needs_results
async def test_a_refusal_is_an_answer_without_a_number_and_no_repair(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """A person waits for it, although a voice device has no user."""
    await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, options={CONF_DAILY_LIMIT: 1}
    )
    expose(hass, "notify.anna")
    await write(hass, "Anna")

    assert await write(hass, "Anna", "Ancora") == {"error": "daily_limit"}
    assert await write(hass, "Anna", " ") == {"error": "empty_text"}

    assert len(arrived(simulator)) == 1
    issues = {issue for domain, issue in ir.async_get(hass).issues if domain == DOMAIN}
    assert not [issue for issue in issues if "undelivered" in issue]


async def test_without_an_exposed_recipient_there_is_no_tool(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})

    assert NAME not in await tools(hass)


async def test_there_is_no_tool_for_another_api_nor_without_results_of_tools(
    hass: HomeAssistant, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    expose(hass, "notify.anna")

    assert (NAME in await tools(hass)) is HAS_RESULTS
    assert async_get_tools(hass, asked_by(), "another") is None
    monkeypatch.delattr(llm, "ToolResult", raising=False)
    assert NAME not in await tools(hass)
