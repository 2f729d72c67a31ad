"""Who may do what, by every way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_CONTROL, POLICY_READ
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, Unauthorized, UnknownUser
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.messaging import Query
from custom_components.sms_italia.rights import Allowed
from custom_components.sms_italia.runtime import MESSENGER
from custom_components.sms_italia.services import ACTIONS
from simulator import Simulator, Toggle

from .accounts import Accounts, arrived

ANNA = "+393331234567"
BRUNO = "+393409876543"
FREE = "+393201112223"


@dataclass(frozen=True, slots=True)
class House:
    """Users of an instance with an account that has two recipients."""

    hass: HomeAssistant
    account: MockConfigEntry
    users: dict[str, User | None]

    async def call(self, who: str, action: str, /, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - as an automation writes them
        """Call one of our actions as somebody; return the answer."""
        answer = await self.hass.services.async_call(
            DOMAIN,
            action,
            data,
            blocking=True,
            return_response=True,
            context=self.context(who),
        )
        assert isinstance(answer, dict)
        return dict(answer)

    async def notify(self, who: str, action: str, /, **data: Any) -> None:  # noqa: ANN401 - as above
        """Call a notify action as somebody."""
        await self.hass.services.async_call(
            NOTIFY_DOMAIN, action, data, blocking=True, context=self.context(who)
        )

    def context(self, who: str) -> Context:
        """Return the context of what somebody does."""
        user = self.users[who]
        return Context(user_id=None if user is None else user.id)


@pytest.fixture
async def house(hass: HomeAssistant, accounts: Accounts, simulator: Simulator) -> House:
    """Return users of each kind; the guest may control Anna's entity alone."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").groups["7"] = (BRUNO,)
    account = await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]}
    )
    guest = MockUser(name="guest").add_to_hass(hass)
    guest.mock_policy(
        {"entities": {"entity_ids": {"notify.anna": {POLICY_CONTROL: True}}}}
    )
    reader = MockUser(name="reader").add_to_hass(hass)
    reader.mock_policy({"entities": {"all": {POLICY_READ: True}}})
    user = MockUser(name="user").add_to_hass(hass)
    user.mock_policy({"entities": True})
    return House(
        hass,
        account,
        {
            "administrator": MockUser(is_owner=True).add_to_hass(hass),
            "user": user,
            "reader": reader,
            "guest": guest,
            "automation": None,
        },
    )


EVERYBODY = {"administrator", "user", "reader", "guest", "automation"}
ADMINISTRATORS = {"administrator", "automation"}
CONTROLLERS = {"administrator", "user", "automation"}

type Way = Callable[[House, str], Awaitable[object]]

WAYS: dict[str, tuple[set[str], Way]] = {
    "send_sms to a recipient": (
        EVERYBODY - {"reader"},
        lambda house, who: house.call(
            who, "send_sms", entity_id="notify.anna", message="Ciao"
        ),
    ),
    "send_sms to a name": (
        EVERYBODY - {"reader"},
        lambda house, who: house.call(who, "send_sms", numbers="Anna", message="Ciao"),
    ),
    "send_sms to a recipient's number": (
        EVERYBODY - {"reader"},
        lambda house, who: house.call(who, "send_sms", numbers=ANNA, message="Ciao"),
    ),
    "send_sms to another recipient": (
        CONTROLLERS,
        lambda house, who: house.call(who, "send_sms", numbers="Bruno", message="Ciao"),
    ),
    "send_sms to a free number": (
        CONTROLLERS,
        lambda house, who: house.call(who, "send_sms", numbers=FREE, message="Ciao"),
    ),
    "send_sms to a group": (
        ADMINISTRATORS,
        lambda house, who: house.call(who, "send_sms", group="7", message="Ciao"),
    ),
    "estimate": (
        EVERYBODY,
        lambda house, who: house.call(who, "estimate", message="Ciao"),
    ),
    "estimate of a group": (
        ADMINISTRATORS,
        lambda house, who: house.call(who, "estimate", group="7", message="Ciao"),
    ),
    "find_messages": (
        ADMINISTRATORS,
        lambda house, who: house.call(who, "find_messages"),
    ),
    "create_push_invitation": (
        ADMINISTRATORS,
        lambda house, who: house.call(who, "create_push_invitation", number=ANNA),
    ),
    "notify.send_message": (
        EVERYBODY - {"reader"},
        lambda house, who: house.notify(
            who, "send_message", entity_id="notify.anna", message="Ciao"
        ),
    ),
    "notify.<account> to all recipients": (
        CONTROLLERS,
        lambda house, who: house.notify(who, "smshosting", message="Ciao"),
    ),
    "notify.<account> to a name": (
        EVERYBODY - {"reader"},
        lambda house, who: house.notify(
            who, "smshosting", message="Ciao", target=["Anna"]
        ),
    ),
    "notify.<account> to a free number": (
        CONTROLLERS,
        lambda house, who: house.notify(
            who, "smshosting", message="Ciao", target=[FREE]
        ),
    ),
    "get_push_picture": (
        ADMINISTRATORS,
        lambda house, who: house.call(
            who, "get_push_picture", picture_id="niente", filename="foto.jpg"
        ),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", sorted(EVERYBODY))
async def test_a_way_is_open_to_whom_the_table_says(
    house: House, simulator: Simulator, way: str, who: str
) -> None:
    """Whoever may not is refused before anything is sent."""
    allowed, do = WAYS[way]
    refused = False
    try:
        await do(house, who)
    except Unauthorized:
        refused = True
    except HomeAssistantError:
        # Such as a picture that does not exist.
        pass
    assert refused is (who not in allowed)
    if refused:
        assert arrived(simulator) == []


def test_every_action_is_in_the_table() -> None:
    tried = {way.split(" ", maxsplit=1)[0] for way in WAYS}
    owners = {one.name for one in ACTIONS if one.allowed is Allowed.OWNERS}
    assert {action.name for action in ACTIONS} - owners <= tried


async def test_a_message_is_cancelled_by_who_sent_it_and_by_administrators(
    house: House,
) -> None:
    """The answer masks the number and has no text, but for administrators."""
    texts = map("Ciao {}".format, count())

    async def schedule(who: str) -> str:
        answer = await house.call(
            who,
            "send_sms",
            numbers="Anna",
            message=next(texts),
            send_at="2035-12-24 22:00:00",
        )
        return str(answer["messages"][0]["id"])

    for who in ("automation", "user"):
        id_ = await schedule(who)
        with pytest.raises(Unauthorized):
            await house.call("guest", "cancel", message_id=id_)
        await house.call("administrator", "cancel", message_id=id_)
    own = await house.call("guest", "cancel", message_id=await schedule("guest"))
    assert (own["to"], own["message"]) == ("***567", None)
    id_ = await schedule("user")
    seen = await house.call("administrator", "cancel", message_id=id_)
    assert (seen["to"], seen["message"]) == (ANNA, "Ciao 3")


async def send_in_vain(
    house: House, simulator: Simulator, who: str, **target: object
) -> str:
    """Send as somebody what the provider does not take; return its ID."""
    account = simulator.account("smshosting")
    account.blocked |= {ANNA, FREE}
    with pytest.raises(HomeAssistantError):
        await house.call(who, "send_sms", message="Ciao", **target)
    account.blocked.clear()
    found = await house.call("automation", "find_messages", limit=1)
    return str(found["messages"][0]["id"])


async def test_a_message_is_sent_again_by_who_sent_it_and_by_administrators(
    house: House, simulator: Simulator
) -> None:
    """The new one is of who sends it again, and as masked as every answer."""
    id_ = await send_in_vain(house, simulator, "user", numbers="Anna")
    with pytest.raises(Unauthorized):
        await house.call("guest", "resend", message_id=id_)
    assert arrived(simulator) == []

    own = await house.call("user", "resend", message_id=id_)
    again = await house.call("administrator", "resend", message_id=id_)

    assert [number for number, _ in arrived(simulator)] == [ANNA] * 2
    (seen,), (seen_by_all,) = own["messages"], again["messages"]
    assert (seen["to"], seen["message"]) == ("***567", None)
    assert seen_by_all["to"] == ANNA
    assert seen_by_all["message"].startswith("Ciao")
    await house.hass.async_block_till_done(wait_background_tasks=True)
    latest = await house.hass.data[MESSENGER].ledger.find(Query(limit=2))
    assert [one.dispatch.user for one in latest.messages] == [
        house.context("administrator").user_id,
        house.context("user").user_id,
    ]


async def test_sending_again_asks_for_the_rights_of_sending(
    house: House, simulator: Simulator
) -> None:
    """Which may have been taken away, or were those for a recipient that is gone."""
    guest = house.users["guest"]
    assert isinstance(guest, MockUser)
    id_ = await send_in_vain(house, simulator, "guest", numbers="Anna")
    house.hass.config_entries.async_remove_subentry(house.account, "anna")
    await house.hass.async_block_till_done()
    with pytest.raises(Unauthorized):
        await house.call("guest", "resend", message_id=id_)
    assert arrived(simulator) == []


async def test_answers_show_full_numbers_to_administrators_and_who_gave_them(
    house: House,
) -> None:
    expected = {"automation": ANNA, "administrator": ANNA, "user": "***567"}
    for who, shown in expected.items():
        answer = await house.call(
            who, "send_sms", numbers=["Anna", FREE], message=f"Ciao {who}"
        )
        assert [one["to"] for one in answer["messages"]] == [shown, FREE]


async def test_another_sender_of_an_ordinary_user_is_the_accounts_own(
    house: House, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    await house.call("user", "send_sms", numbers=FREE, message="Uno", sender="Altri")
    await house.call(
        "administrator", "send_sms", numbers=FREE, message="Due", sender="Altri"
    )
    assert [one.sender for one in simulator.messages] == ["Casa", "Altri"]
    assert "only administrators choose a sender" in caplog.text


async def test_a_script_that_a_user_presses_sends_its_alarm_to_a_free_number(
    house: House, simulator: Simulator
) -> None:
    script = {
        "sequence": [
            {
                "action": f"{DOMAIN}.send_sms",
                "data": {"numbers": FREE, "message": "Allarme"},
            }
        ]
    }
    assert await async_setup_component(
        house.hass, "script", {"script": {"prova": script}}
    )
    await house.hass.services.async_call(
        "script", "prova", blocking=True, context=house.context("user")
    )
    assert arrived(simulator) == [(FREE, "Allarme")]


async def test_an_unknown_user_may_nothing(house: House, simulator: Simulator) -> None:
    with pytest.raises(UnknownUser):
        await house.hass.services.async_call(
            DOMAIN,
            "send_sms",
            {"numbers": FREE, "message": "Ciao"},
            blocking=True,
            context=Context(user_id="nobody"),
        )
    assert arrived(simulator) == []
