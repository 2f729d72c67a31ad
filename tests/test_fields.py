"""Every value that a person hands to an action, in whatever shape."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util.yaml import parse_yaml
import pytest
import voluptuous as vol

from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.fields import EXAMPLES, read_fields
from custom_components.sms_italia.notify_action import NOTIFY_FIELDS
from custom_components.sms_italia.services import ACTIONS
from simulator import Operation, Simulator

from .accounts import Accounts
from .test_errors import sentences

ANNA = "+393331234567"

ODD: list[Any] = [
    None,
    "",
    " ",
    "domani",
    "20:00",
    "28/11/2026 20:00",
    "states('sensor.x')",
    0,
    -1,
    1.5,
    float("inf"),
    float("nan"),
    True,
    [],
    [None],
    [[1]],
    {},
    {"a": 1},
    date(2026, 11, 28),
    1_800_000_000,
]
"""What a template, YAML without quotation marks or an empty form field may give."""

GOOD: Mapping[str, dict[str, Any]] = {
    "send_sms": {"message": "Ciao", "numbers": ANNA},
    "estimate": {"message": "Ciao"},
    "find_messages": {},
    "cancel": {"message_id": "0" * 16},
    "acknowledge": {},
    "resend": {"message_id": "0" * 16},
    "create_push_invitation": {"number": ANNA},
    "get_push_picture": {"picture_id": "1", "filename": "/x.jpg"},
}
"""Fields without which an action does not begin."""

FIELDS = [
    (action.name, str(marker)) for action in ACTIONS for marker in action.schema.schema
]
FIELD_REASONS = {"missing_field", "unknown_field", "invalid_field"}


async def error_of(
    hass: HomeAssistant, domain: str, action: str, data: dict[str, Any]
) -> HomeAssistantError | None:
    """Return the error of a call; fails with any that is not for people."""
    supported = hass.services.supports_response(domain, action)
    try:
        await hass.services.async_call(
            domain,
            action,
            data,
            blocking=True,
            return_response=supported is not SupportsResponse.NONE,
        )
    except HomeAssistantError as err:
        return err
    return None


def sends(simulator: Simulator) -> int:
    """Return how many requests to send came; questions may come at any time."""
    return sum(one.operation is Operation.SEND for one in simulator.requests)


@pytest.mark.parametrize(("action", "field"), FIELDS)
async def test_any_value_of_a_field_is_taken_or_refused_in_words(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    action: str,
    field: str,
) -> None:
    """What the field cannot hold is refused by its name, before any request."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})

    for odd in ODD:
        asked = sends(simulator)
        error = await error_of(hass, DOMAIN, action, {**GOOD[action], field: odd})
        if error is None:
            continue
        said = await sentences(hass, error)
        assert isinstance(error.translation_key, str)
        if error.translation_key in FIELD_REASONS:
            assert isinstance(error, ServiceValidationError)
            assert all(f"“{field}”" in sentence for sentence in said.values()), odd
            assert all(EXAMPLES[field] in sentence for sentence in said.values())
            assert sends(simulator) == asked


@pytest.mark.parametrize("field", ["message", "title", "target", "data"])
async def test_any_value_of_the_notify_action_is_taken_or_refused_in_words(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, field: str
) -> None:
    """As those of our own actions."""
    await accounts.set_up("smshosting", title="Casa", recipients={"Anna": [ANNA]})

    for odd in ODD:
        asked = sends(simulator)
        error = await error_of(
            hass, NOTIFY_DOMAIN, "casa", {"message": "Ciao", field: odd}
        )
        if error is None:
            continue
        said = await sentences(hass, error)
        if error.translation_key in FIELD_REASONS:
            assert all(f"“{field}”" in sentence for sentence in said.values()), odd
            assert sends(simulator) == asked


@pytest.mark.parametrize("field", ["send_at", "test"])
async def test_what_the_data_of_the_notify_action_cannot_hold_is_named(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, field: str
) -> None:
    """With an example of its own, and without what the action does not read."""
    await accounts.set_up("smshosting", title="Casa", recipients={"Anna": [ANNA]})
    asked = sends(simulator)

    error = await error_of(
        hass, NOTIFY_DOMAIN, "casa", {"message": "Ciao", "data": {field: "domani"}}
    )

    assert error is not None
    for sentence in (await sentences(hass, error)).values():
        assert f"“{field}”" in sentence
        assert EXAMPLES[field] in sentence
        assert "group" not in sentence
    assert sends(simulator) == asked


@pytest.mark.parametrize(
    ("action", "schema"),
    [*((action.name, action.schema) for action in ACTIONS), ("notify", NOTIFY_FIELDS)],
)
def test_the_example_of_each_field_is_one_that_it_takes(
    action: str, schema: vol.Schema
) -> None:
    """As it is read in YAML."""
    required = GOOD.get(action, {"message": "Ciao"})
    for marker in schema.schema:
        for example in EXAMPLES[str(marker)].split(" / "):
            read_fields(schema, {**required, str(marker): parse_yaml(example)})


async def test_a_call_of_an_automation_that_is_refused_so_is_not_lost_in_silence(
    hass: HomeAssistant,
    accounts: Accounts,
    issue_registry: Any,  # noqa: ANN401
) -> None:
    """A repair shows it; a question that only answers needs none."""
    await accounts.set_up("smshosting")

    await error_of(hass, DOMAIN, "estimate", {"message": None})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not issue_registry.issues
    await error_of(hass, DOMAIN, "send_sms", {"message": None, "numbers": ANNA})
    await hass.async_block_till_done(wait_background_tasks=True)

    assert [issue.translation_key for issue in issue_registry.issues.values()]
