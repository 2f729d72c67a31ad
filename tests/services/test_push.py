"""The actions for a provider with an app of its own."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Fault, Simulator, Toggle

from ..accounts import Accounts
from ..media import CAMERA, JPEG, set_up_camera, set_up_media
from ..states import call

ANNA = "+393331234567"

INVITE = {"number": "333 123 4567"}
PICTURE = {"picture_id": "1", "filename": "cortile.jpg"}


@pytest.fixture
def push(simulator: Simulator) -> Simulator:
    """Return the providers; Anna has the app of Smshosting's Push."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").push_phones.add(ANNA)
    return simulator


@pytest.fixture
async def account(accounts: Accounts) -> MockConfigEntry:
    """Return an account that can send a Push."""
    return await accounts.set_up("smshosting", title="Casa mia")


async def send_picture(hass: HomeAssistant) -> dict[str, Any]:
    """Send what a camera sees to Anna; return the message of the answer."""
    await set_up_camera(hass)
    answer = await call(
        hass,
        "send_sms",
        numbers=[ANNA],
        message="Qualcuno in cortile",
        channel="push",
        picture=CAMERA,
    )
    (message,) = answer["messages"]
    return dict(message)


async def test_an_invitation_is_created_for_a_number(
    hass: HomeAssistant, push: Simulator, account: MockConfigEntry
) -> None:
    """The answer is the link, as the provider writes it."""
    answer = await call(
        hass, "create_push_invitation", config_entry_id=account.entry_id, **INVITE
    )

    request = push.requests[-1]
    assert (request.method, request.path) == ("POST", "/rest/api/push/invitation")
    assert request.fields == {"to": "393331234567"}
    assert answer.keys() == {"url"}
    assert answer["url"].startswith("cqui.it/")


async def test_the_picture_of_a_message_is_saved(
    hass: HomeAssistant, push: Simulator, account: MockConfigEntry
) -> None:
    """By the message's id, or by the provider's id of the picture."""
    folder = await set_up_media(hass)
    message = await send_picture(hass)
    # The requests of the credit that follow must not come between.
    await hass.async_block_till_done(wait_background_tasks=True)

    first = await call(
        hass,
        "get_push_picture",
        config_entry_id=account.entry_id,
        message_id=message["id"],
        filename="allarmi/cortile",
    )

    assert first == {
        "path": str(folder / "allarmi" / "cortile.jpg"),
        "media_content_id": "media-source://media_source/local/allarmi/cortile.jpg",
    }
    assert (folder / "allarmi" / "cortile.jpg").read_bytes() == JPEG
    asked, read = push.requests[-2:]
    assert asked.path == "/rest/api/push/search"
    assert read.path.startswith("/rest/api/push/multimedia/")

    second = await call(
        hass,
        "get_push_picture",
        picture_id=read.path.rpartition("/")[2],
        filename=str(folder / "altra.jpg"),
    )

    assert second["path"] == str(folder / "altra.jpg")
    assert (folder / "altra.jpg").read_bytes() == JPEG
    with pytest.raises(ServiceValidationError) as caught:
        await call(
            hass,
            "get_push_picture",
            message_id=message["id"],
            filename="allarmi/cortile.jpg",
        )
    assert caught.value.translation_key == "file_exists"


@pytest.mark.usefixtures("account", "push")
async def test_a_message_without_a_picture_says_so(hass: HomeAssistant) -> None:
    """Nothing is written."""
    folder = await set_up_media(hass)
    answer = await call(hass, "send_sms", numbers=[ANNA], message="x", channel="push")
    message_id = answer["messages"][0]["id"]

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "get_push_picture", message_id=message_id, filename="x")

    assert caught.value.translation_key == "no_picture"
    assert caught.value.translation_placeholders == {"message_id": message_id}
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("push")
async def test_a_message_that_another_account_took_is_not_known(
    hass: HomeAssistant, accounts: Accounts, account: MockConfigEntry
) -> None:
    """Nor one that was never sent."""
    other = await accounts.set_up("inviosmart")
    answer = await call(
        hass,
        "send_sms",
        numbers=[ANNA],
        message="Ciao",
        config_entry_id=other.entry_id,
    )

    for message_id in (answer["messages"][0]["id"], "0" * 16, "perso"):
        with pytest.raises(ServiceValidationError) as caught:
            await call(
                hass,
                "get_push_picture",
                config_entry_id=account.entry_id,
                message_id=message_id,
                filename="x",
            )
        assert caught.value.translation_key == "unknown_message"


@pytest.mark.parametrize(
    ("action", "data"),
    [("create_push_invitation", INVITE), ("get_push_picture", PICTURE)],
)
async def test_an_error_of_the_provider_is_passed_on(
    hass: HomeAssistant,
    simulator: Simulator,
    account: MockConfigEntry,
    action: str,
    data: dict[str, object],
) -> None:
    """No plan is no fault of the account; neither is an answer that makes no sense."""
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, action, **data)
    assert caught.value.translation_key == "provider_no_push_plan"
    assert caught.value.translation_placeholders == {"account": account.title}

    simulator.inject("smshosting", Fault.HTML)
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, action, **data)
    assert caught.value.translation_key == "provider_unavailable"


@pytest.mark.parametrize(
    ("action", "data"),
    [("create_push_invitation", INVITE), ("get_push_picture", PICTURE)],
)
async def test_a_provider_without_an_app_is_named(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    action: str,
    data: dict[str, object],
) -> None:
    """It is not even asked; an account of another integration is refused as well."""
    entry = await accounts.set_up("inviosmart")
    asked = len(simulator.requests)

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, action, config_entry_id=entry.entry_id, **data)
    assert caught.value.translation_key == "unsupported"
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, action, config_entry_id="nothing", **data)
    assert caught.value.translation_key == "unknown_account"

    assert len(simulator.requests) == asked


@pytest.mark.usefixtures("account")
async def test_a_number_to_invite_must_be_one(hass: HomeAssistant) -> None:
    """The error shows it masked."""
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "create_push_invitation", number="Anna")

    assert caught.value.translation_key == "not_a_number"


@pytest.mark.usefixtures("account")
async def test_a_picture_must_be_named_in_one_way(hass: HomeAssistant) -> None:
    """Neither in none nor in two."""
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "get_push_picture", filename="x")
    assert caught.value.translation_key == "which_picture"

    with pytest.raises(ServiceValidationError) as caught:
        await call(
            hass, "get_push_picture", message_id="1", picture_id="1", filename="x"
        )
    assert caught.value.translation_key == "which_picture"
