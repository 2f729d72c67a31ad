"""Who may do what, by every way."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
import json
import logging
from typing import Any

from homeassistant.auth.const import (
    GROUP_ID_ADMIN,
    GROUP_ID_READ_ONLY,
    GROUP_ID_USER,
)
from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_CONTROL, POLICY_READ
from homeassistant.components import websocket_api
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.components.websocket_api.const import TYPE_RESULT
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, Unauthorized, UnknownUser
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.script import Script
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    CLIENT_ID,
    MockConfigEntry,
    MockUser,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.messaging import Query
from custom_components.sms_italia.rights import Allowed
from custom_components.sms_italia.runtime import MESSENGER
from custom_components.sms_italia.services import ACTIONS
from custom_components.sms_italia.websocket_api import COMMANDS, guarded
from simulator import Simulator, Toggle

from .accounts import Accounts, arrived
from .media import CAMERA, IMAGE, set_up_camera, set_up_image

ANNA = "+393331234567"
BRUNO = "+393409876543"
FREE = "+393201112223"
LATER = "2035-12-24 22:00:00"
SCRIPT = "a script that the user pressed"


@dataclass(frozen=True, slots=True)
class Home:
    """People of an instance with an account that has two recipients."""

    hass: HomeAssistant
    account: MockConfigEntry
    people: dict[str, User | None]

    async def call(self, who: str, action: str, /, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - as an automation writes them
        """Call one of our actions as somebody; return the answer."""
        answer = await self._run(who, f"{DOMAIN}.{action}", data, answers=True)
        assert isinstance(answer, dict)
        return dict(answer)

    async def do(self, who: str, action: str, /, **data: Any) -> None:  # noqa: ANN401 - as above
        """Call an action of Home Assistant as somebody."""
        await self._run(who, action, data, answers=False)

    async def _run(
        self, who: str, action: str, data: Mapping[str, Any], *, answers: bool
    ) -> object:
        """Call an action, in a script if it is one that calls."""
        if who == SCRIPT:
            step = {"action": action, "data": dict(data)}
            step |= {"response_variable": "answer"} if answers else {}
            sequence = cv.SCRIPT_SCHEMA([step])
            script = Script(self.hass, sequence, "Prova", "test")
            result = await script.async_run(context=self.context(who))
            return result.variables["answer"] if result and answers else None
        domain, name = action.split(".")
        return await self.hass.services.async_call(
            domain,
            name,
            dict(data),
            blocking=True,
            return_response=answers,
            context=self.context(who),
        )

    def context(self, who: str) -> Context:
        """Return the context of what somebody does."""
        user = self.people[who]
        return Context(user_id=None if user is None else user.id)


@pytest.fixture
async def home(hass: HomeAssistant, accounts: Accounts, simulator: Simulator) -> Home:
    """Return people of each kind; the guest may control Anna's entity alone."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").groups["7"] = (BRUNO,)
    account = await accounts.set_up(
        "smshosting",
        recipients={"Anna": [ANNA], "Bruno": [BRUNO]},
        escalations={"Notte": []},
    )
    create = hass.auth.async_create_user
    # The first one is the owner.
    administrator = await create("administrator", group_ids=[GROUP_ID_ADMIN])
    user = await create("user", group_ids=[GROUP_ID_USER])
    guest = MockUser(name="guest").add_to_hass(hass)
    guest.mock_policy(
        {"entities": {"entity_ids": {"notify.anna": {POLICY_CONTROL: True}}}}
    )
    return Home(
        hass,
        account,
        {
            "administrator": administrator,
            "user": user,
            SCRIPT: user,
            "reader": await create("reader", group_ids=[GROUP_ID_READ_ONLY]),
            "guest": guest,
            "automation": None,
        },
    )


ADMINISTRATORS = frozenset({"administrator", "automation"})
CONTROLLERS = ADMINISTRATORS | {"user", SCRIPT}
WITH_THE_GUEST = CONTROLLERS | {"guest"}
EVERYBODY = WITH_THE_GUEST | {"reader"}

type Way = Callable[[Home, str], Awaitable[object]]


def send_sms(**data: object) -> Way:
    """Return how to send."""
    return lambda home, who: home.call(who, "send_sms", message="Ciao", **data)


def estimate(**data: object) -> Way:
    """Return how to estimate."""
    return lambda home, who: home.call(who, "estimate", message="Ciao", **data)


def notify(action: str, **data: object) -> Way:
    """Return how to call an action for notifications."""
    return lambda home, who: home.do(who, f"notify.{action}", message="Ciao", **data)


WAYS: dict[str, tuple[frozenset[str], Way]] = {
    "send_sms, recipient": (WITH_THE_GUEST, send_sms(entity_id="notify.anna")),
    "send_sms, name": (WITH_THE_GUEST, send_sms(numbers="Anna")),
    "send_sms, another recipient": (CONTROLLERS, send_sms(entity_id="notify.bruno")),
    "send_sms, another name": (CONTROLLERS, send_sms(numbers="Bruno")),
    "send_sms, one of two": (
        CONTROLLERS,
        send_sms(entity_id=["notify.anna", "notify.bruno"]),
    ),
    "send_sms, all": (WITH_THE_GUEST, send_sms(entity_id="all")),
    "send_sms, free number": (CONTROLLERS, send_sms(numbers=FREE)),
    "send_sms, name and free number": (CONTROLLERS, send_sms(numbers=["Anna", FREE])),
    "send_sms, group": (ADMINISTRATORS, send_sms(group="7")),
    "send_sms, recipient and group": (
        ADMINISTRATORS,
        send_sms(entity_id="notify.anna", group="7"),
    ),
    "estimate": (EVERYBODY, estimate()),
    "estimate, recipient": (WITH_THE_GUEST, estimate(entity_id="notify.anna")),
    "estimate, all": (WITH_THE_GUEST, estimate(entity_id="all")),
    "estimate, free number": (CONTROLLERS, estimate(numbers=FREE)),
    "estimate, group": (ADMINISTRATORS, estimate(group="7")),
    "acknowledge": (
        CONTROLLERS,
        lambda home, who: home.do(
            who, "sms_italia.acknowledge", entity_id="notify.notte"
        ),
    ),
    "acknowledge, all": (
        CONTROLLERS,
        lambda home, who: home.do(who, "sms_italia.acknowledge", entity_id="all"),
    ),
    "notify.send_message, escalation": (
        CONTROLLERS,
        notify("send_message", entity_id="notify.notte"),
    ),
    "find_messages": (
        ADMINISTRATORS,
        lambda home, who: home.call(who, "find_messages"),
    ),
    "create_push_invitation": (
        ADMINISTRATORS,
        lambda home, who: home.call(who, "create_push_invitation", number=ANNA),
    ),
    "get_push_picture": (
        ADMINISTRATORS,
        lambda home, who: home.call(
            who, "get_push_picture", picture_id="none", filename="picture.jpg"
        ),
    ),
    "notify.send_message": (
        WITH_THE_GUEST,
        notify("send_message", entity_id="notify.anna"),
    ),
    "notify.send_message, another recipient": (
        CONTROLLERS,
        notify("send_message", entity_id="notify.bruno"),
    ),
    "notify.smshosting": (CONTROLLERS, notify("smshosting")),
    "notify.smshosting, name": (WITH_THE_GUEST, notify("smshosting", target=["Anna"])),
    "notify.smshosting, another name": (
        CONTROLLERS,
        notify("smshosting", target=["Bruno"]),
    ),
    "notify.smshosting, free number": (
        CONTROLLERS,
        notify("smshosting", target=[FREE]),
    ),
    "button.press": (
        CONTROLLERS,
        lambda home, who: home.do(
            who, "button.press", entity_id="button.anna_send_test_message"
        ),
    ),
}
"""What can be asked for, who may, and how it is done."""

OWN = {"cancel", "resend"}
"""What is done with one's own messages, tried below."""

SEEN = {
    "administrator": [ANNA, BRUNO, FREE],
    "user": ["***567", "***543"],
    "reader": ["***567", "***543"],
    "guest": ["***567"],
}
"""The numbers of the messages that each command shows to a person.

An automation sends no commands. The guest may read Anna's entity too.
"""


@pytest.mark.parametrize(
    ("way", "who"),
    [(way, who) for way, (allowed, _) in WAYS.items() for who in sorted(allowed)],
)
async def test_a_way_is_open_to_whom_the_table_says(
    home: Home, way: str, who: str
) -> None:
    _, do = WAYS[way]
    if way == "get_push_picture":
        # There is no such picture.
        with pytest.raises(HomeAssistantError, match="refused"):
            await do(home, who)
    else:
        await do(home, who)


@pytest.mark.parametrize("way", WAYS)
async def test_a_way_is_closed_to_all_others_before_anything_is_sent(
    home: Home, simulator: Simulator, way: str
) -> None:
    allowed, do = WAYS[way]
    for who in sorted(EVERYBODY - allowed):
        with pytest.raises(Unauthorized):
            await do(home, who)
    assert arrived(simulator) == []


async def test_nothing_can_be_asked_for_that_the_table_does_not_have(
    home: Home,
) -> None:
    """No action of ours, and no command or subscription of the websocket."""
    tried = {way.split(",", maxsplit=1)[0] for way in WAYS} | OWN
    tried |= {command.type for command in COMMANDS}
    commands = home.hass.data.get(websocket_api.DOMAIN, {})
    ours = {one for one in commands if one.startswith(f"{DOMAIN}/")}
    ours |= home.hass.services.async_services_for_domain(DOMAIN).keys()
    ours |= {
        f"{NOTIFY_DOMAIN}.{name}"
        for name in home.hass.services.async_services_for_domain(NOTIFY_DOMAIN)
        if name not in {"notify", "persistent_notification"}
    }
    assert ours == {way for way in tried if not way.startswith("button")}


def test_every_action_says_who_may_call_it() -> None:
    """By the design, section 8."""
    assert {action.name: action.allowed for action in ACTIONS} == {
        "send_sms": Allowed.SENDERS,
        "estimate": Allowed.SENDERS,
        "find_messages": Allowed.ADMINISTRATORS,
        "cancel": Allowed.OWNERS,
        "resend": Allowed.OWNERS,
        "acknowledge": Allowed.SENDERS,
        "create_push_invitation": Allowed.ADMINISTRATORS,
        "get_push_picture": Allowed.ADMINISTRATORS,
    }


def test_every_command_says_who_may_send_it() -> None:
    """Subscriptions too."""
    assert {command.type: command.allowed for command in COMMANDS} == {
        "sms_italia/messages/list": Allowed.READERS,
        "sms_italia/messages/subscribe": Allowed.READERS,
    }


async def shown_to(
    home: Home, open_socket: WebSocketGenerator, who: str, command: str
) -> list[str]:
    """Return the numbers that a command shows to somebody, of three new messages."""
    user = home.people[who]
    assert user is not None
    refresh = await home.hass.auth.async_create_refresh_token(user, CLIENT_ID)
    socket = await open_socket(
        home.hass, home.hass.auth.async_create_access_token(refresh)
    )
    is_subscription = command.endswith("subscribe")
    if is_subscription:
        await socket.send_json_auto_id({"type": command})
        assert (await socket.receive_json())["success"]
    for number in ("Anna", "Bruno", FREE):
        await home.call("automation", "send_sms", numbers=number, message="Ciao")
    await home.hass.async_block_till_done(wait_background_tasks=True)
    await socket.send_json_auto_id({"type": "sms_italia/messages/list"})
    shown: dict[str, str] = {}
    while (reply := await socket.receive_json())["type"] != TYPE_RESULT:
        shown |= {row["id"]: row["to"] for row in reply["event"]["messages"]}
    listed = {row["id"]: row["to"] for row in reversed(reply["result"]["messages"])}
    return list((shown if is_subscription else listed).values())


@pytest.mark.parametrize("command", [command.type for command in COMMANDS])
@pytest.mark.parametrize("who", SEEN)
async def test_a_command_shows_to_each_what_the_table_says(
    home: Home, hass_ws_client: WebSocketGenerator, who: str, command: str
) -> None:
    guest = home.people["guest"]
    assert isinstance(guest, MockUser)
    guest.mock_policy(
        {"entities": {"entity_ids": {"notify.anna": {POLICY_READ: True}}}}
    )
    shown = await shown_to(home, hass_ws_client, who, command)
    assert sorted(shown) == sorted(SEEN[who])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.type)
async def test_a_command_for_administrators_would_refuse_all_others(
    home: Home,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
    command: Any,  # noqa: ANN401 - its type is private
) -> None:
    """There is none yet: what a command does is behind the table, as for actions."""
    strict = replace(command, type="probe", allowed=Allowed.ADMINISTRATORS)
    websocket_api.async_register_command(home.hass, guarded(strict))
    client = await hass_ws_client(home.hass, hass_read_only_access_token)
    await client.send_json_auto_id({"type": "probe"})
    answer = await client.receive_json()
    assert answer["error"]["code"] == websocket_api.ERR_UNAUTHORIZED


async def test_the_websocket_refuses_whom_the_table_refuses(
    home: Home,
    simulator: Simulator,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
) -> None:
    client = await hass_ws_client(home.hass, hass_read_only_access_token)
    await client.send_json_auto_id(
        {
            "type": "call_service",
            "domain": DOMAIN,
            "service": "send_sms",
            "service_data": {"numbers": FREE, "message": "Ciao"},
        }
    )
    answer = await client.receive_json()
    assert (answer["success"], answer["error"]["message"]) == (False, "Unauthorized")
    assert arrived(simulator) == []


@pytest.mark.parametrize(
    ("who", "numbers"),
    [("guest", [ANNA]), ("user", [ANNA, BRUNO]), ("automation", [ANNA, BRUNO])],
)
async def test_all_recipients_are_those_that_the_caller_may_control(
    home: Home, simulator: Simulator, who: str, numbers: list[str]
) -> None:
    """As Home Assistant understands it for its own actions."""
    await home.call(who, "send_sms", entity_id="all", message="Ciao")
    assert sorted(to for to, _ in arrived(simulator)) == numbers


# One's own messages


async def schedule(home: Home, who: str, text: str, **data: Any) -> str:  # noqa: ANN401 - as above
    """Send to Anna later; return the ID of the message."""
    answer = await home.call(
        who, "send_sms", **{"numbers": "Anna", **data}, message=text, send_at=LATER
    )
    return str(answer["messages"][0]["id"])


@pytest.mark.parametrize("who", sorted(EVERYBODY))
@pytest.mark.parametrize("sender", ["administrator", "user", "guest", "automation"])
async def test_a_message_is_cancelled_by_who_sent_it_and_by_administrators(
    home: Home, sender: str, who: str
) -> None:
    id_ = await schedule(home, sender, "Ciao")
    if who in ADMINISTRATORS or home.people[who] is home.people[sender]:
        answer = await home.call(who, "cancel", message_id=id_)
        assert answer["error"] == "cancelled"
        return
    with pytest.raises(Unauthorized):
        await home.call(who, "cancel", message_id=id_)
    kept = await home.call("automation", "find_messages")
    assert [one["error"] for one in kept["messages"]] == [None]


async def test_whose_a_message_is_is_known_after_a_restart(
    home: Home, hass: HomeAssistant
) -> None:
    id_ = await schedule(home, "user", "Ciao")
    entry_id = home.account.entry_id
    assert await hass.config_entries.async_unload(entry_id)
    assert await hass.config_entries.async_setup(entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    with pytest.raises(Unauthorized):
        await home.call("guest", "cancel", message_id=id_)
    await home.call("user", "cancel", message_id=id_)


@pytest.mark.parametrize(
    "send",
    [
        notify("send_message", entity_id="notify.anna"),
        notify("smshosting", target=["Anna"]),
        WAYS["button.press"][1],
    ],
    ids=["entity", "account", "button"],
)
async def test_a_message_is_of_who_sent_it_by_whatever_way(
    home: Home, send: Way
) -> None:
    """It left already, so that its owner is told so, and nobody else is told."""
    await send(home, "user")
    found = await home.call("automation", "find_messages")
    (message,) = found["messages"]
    user = home.people["user"]
    assert user is not None
    (kept,) = home.account.runtime_data.messenger.open_messages(home.account.entry_id)
    assert (kept.public_id, kept.dispatch.user) == (message["id"], user.id)


async def send_in_vain(
    home: Home, simulator: Simulator, who: str, **target: object
) -> str:
    """Send as somebody what the provider does not take; return its ID."""
    account = simulator.account("smshosting")
    account.blocked |= {ANNA, FREE}
    with pytest.raises(HomeAssistantError):
        await home.call(who, "send_sms", message="Ciao", **target)
    account.blocked.clear()
    found = await home.call("automation", "find_messages", limit=1)
    return str(found["messages"][0]["id"])


async def test_a_message_is_sent_again_by_who_sent_it_and_by_administrators(
    home: Home, simulator: Simulator
) -> None:
    """The new one is of who sends it again, and as masked as every answer."""
    id_ = await send_in_vain(home, simulator, "user", numbers="Anna")
    with pytest.raises(Unauthorized):
        await home.call("guest", "resend", message_id=id_)
    assert arrived(simulator) == []

    own = await home.call("user", "resend", message_id=id_)
    again = await home.call("administrator", "resend", message_id=id_)

    assert [number for number, _ in arrived(simulator)] == [ANNA] * 2
    (seen,), (seen_by_all,) = own["messages"], again["messages"]
    assert (seen["to"], seen["message"]) == ("***567", None)
    assert seen_by_all["to"] == ANNA
    assert seen_by_all["message"].startswith("Ciao")
    await home.hass.async_block_till_done(wait_background_tasks=True)
    latest = await home.hass.data[MESSENGER].ledger.find(Query(limit=2))
    assert [one.dispatch.user for one in latest.messages] == [
        home.context("administrator").user_id,
        home.context("user").user_id,
    ]


async def test_sending_again_asks_for_the_rights_of_sending(
    home: Home, simulator: Simulator
) -> None:
    """Which may have been taken away, or were those for a recipient that is gone."""
    id_ = await send_in_vain(home, simulator, "guest", numbers="Anna")
    home.hass.config_entries.async_remove_subentry(home.account, "anna")
    await home.hass.async_block_till_done()
    with pytest.raises(Unauthorized):
        await home.call("guest", "resend", message_id=id_)
    assert arrived(simulator) == []


# What is shown


async def test_numbers_are_shown_in_full_to_administrators_and_to_who_gave_them(
    home: Home,
) -> None:
    texts = map("Ciao {}".format, count())
    expected = {"automation": ANNA, "administrator": ANNA, "user": "***567"}
    for who, shown in expected.items():
        answer = await home.call(
            who,
            "send_sms",
            numbers=["Anna", "320 111 2223"],
            message=next(texts),
        )
        assert [one["to"] for one in answer["messages"]] == [shown, FREE]


async def test_a_recipients_number_that_the_call_has_itself_is_shown(
    home: Home,
) -> None:
    answer = await home.call("user", "send_sms", numbers=ANNA, message="Ciao")
    assert [one["to"] for one in answer["messages"]] == [ANNA]


async def test_numbers_are_masked_in_what_is_shown_of_an_account_that_refused(
    home: Home, accounts: Accounts
) -> None:
    """As in what is shown of one that sent."""
    await accounts.set_up(
        "inviosmart", options={"daily_limit": 1}, recipients={"Carla": [FREE]}
    )
    answers = {
        who: await home.call(
            who,
            "send_sms",
            entity_id=["notify.anna", "notify.carla"],
            message=f"Ciao {who} " * 20,
        )
        for who in ("administrator", "user")
    }
    shown = {
        who: {one["to"]: one["error"] for one in answer["messages"]}
        for who, answer in answers.items()
    }
    assert shown == {
        "administrator": {ANNA: None, FREE: "daily_limit"},
        "user": {"***567": None, "***223": "daily_limit"},
    }


async def test_a_cancelled_message_has_its_number_and_text_for_administrators_alone(
    home: Home,
) -> None:
    """Of an own message too, and of one to a free number."""
    for who, number in (("user", "Anna"), ("user", FREE), ("guest", "Anna")):
        id_ = await schedule(home, who, f"Ciao {who} {number}", numbers=number)
        answer = await home.call(who, "cancel", message_id=id_)
        assert answer["message"] is None
        assert answer["to"] == ("***567" if number == "Anna" else "***223")
        assert not {ANNA[3:], FREE[3:], "Ciao"} & set(json.dumps(answer).split('"'))
    id_ = await schedule(home, "user", "Ciao administrator")
    answer = await home.call("administrator", "cancel", message_id=id_)
    assert (answer["to"], answer["message"]) == (ANNA, "Ciao administrator")


# The script of an alarm, pressed by somebody


async def test_a_script_that_a_user_presses_sends_its_alarm_to_a_free_number(
    home: Home, simulator: Simulator
) -> None:
    """With the account's own sender; one that a reader presses sends nothing."""
    step = {
        "action": f"{DOMAIN}.send_sms",
        "data": {"numbers": FREE, "message": "Allarme", "sender": "Altri"},
    }
    assert await async_setup_component(
        home.hass, "script", {"script": {"alarm": {"sequence": [step]}}}
    )
    with pytest.raises(Unauthorized):
        await home.do("reader", "script.alarm")
    await home.do("user", "script.alarm")
    assert arrived(simulator) == [(FREE, "Allarme")]
    assert [one.sender for one in simulator.messages] == ["Casa"]


@pytest.mark.parametrize(
    ("who", "sender", "used", "warnings"),
    [
        ("user", "Altri", "Casa", 1),
        ("user", "Casa", "Casa", 0),
        ("user", "", "Casa", 0),
        ("administrator", "Altri", "Altri", 0),
        ("automation", "Altri", "Altri", 0),
    ],
)
async def test_another_sender_of_an_ordinary_user_becomes_the_accounts_own(  # noqa: PLR0913, PLR0917 - fixtures
    home: Home,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    who: str,
    sender: str,
    used: str,
    warnings: int,
) -> None:
    """With one warning in the log, which does not have the sender."""
    await home.call(who, "send_sms", numbers=FREE, message="Ciao", sender=sender)
    assert [one.sender for one in simulator.messages] == [used]
    lines = [
        one.getMessage()
        for one in caplog.records
        if "only administrators choose a sender" in one.getMessage()
        and one.levelno == logging.WARNING
    ]
    assert len(lines) == warnings
    assert "Altri" not in "".join(lines)


# Pictures


@pytest.mark.parametrize("entity_id", [CAMERA, IMAGE])
@pytest.mark.parametrize(
    "form", ["{}", "media-source://{domain}/{}"], ids=["entity", "media"]
)
async def test_a_picture_is_taken_for_those_who_may_see_its_entity(
    home: Home, simulator: Simulator, entity_id: str, form: str
) -> None:
    await set_up_camera(home.hass)
    await set_up_image(home.hass)
    simulator.account("smshosting").push_phones.add(ANNA)
    given = form.format(entity_id, domain=entity_id.split(".", maxsplit=1)[0])
    data = {
        "entity_id": "notify.anna",
        "message": "Ciao",
        "channel": "push",
        "picture": given,
    }
    guest = home.people["guest"]
    assert isinstance(guest, MockUser)
    with pytest.raises(Unauthorized) as caught:
        await home.call("guest", "send_sms", **data)
    assert (caught.value.entity_id, caught.value.permission) == (
        entity_id,
        POLICY_READ,
    )
    assert arrived(simulator) == []
    guest.mock_policy(
        {
            "entities": {
                "entity_ids": {
                    "notify.anna": {POLICY_CONTROL: True},
                    entity_id: {POLICY_READ: True},
                }
            }
        }
    )
    answer = await home.call("guest", "send_sms", **data)
    assert [one["status"] for one in answer["messages"]] == ["queued"]


# Edges


async def test_an_unknown_user_may_do_nothing(
    home: Home, hass: HomeAssistant, simulator: Simulator
) -> None:
    """One who was removed meanwhile, say."""
    gone = Context(user_id="nobody")
    for domain, action, data in (
        (DOMAIN, "send_sms", {"numbers": FREE, "message": "Ciao"}),
        (NOTIFY_DOMAIN, "smshosting", {"target": [FREE], "message": "Ciao"}),
    ):
        with pytest.raises(UnknownUser):
            await hass.services.async_call(
                domain, action, data, blocking=True, context=gone
            )
    assert home.account.title == "Smshosting"
    assert arrived(simulator) == []


async def test_a_recipient_without_an_entity_is_like_a_free_number(
    home: Home, hass: HomeAssistant, simulator: Simulator
) -> None:
    """Nobody could have been given control of it."""
    er.async_get(hass).async_remove("notify.anna")
    with pytest.raises(Unauthorized):
        await home.call("guest", "send_sms", numbers="Anna", message="Ciao")
    assert arrived(simulator) == []
    await home.call("user", "send_sms", numbers="Anna", message="Ciao")
    assert arrived(simulator) == [(ANNA, "Ciao")]


@pytest.mark.parametrize(
    ("controls", "given", "belongs_to"),
    [
        ((), {"numbers": [FREE]}, None),
        (("carla",), {"numbers": [FREE]}, None),
        (("elena",), {"numbers": [FREE]}, None),
        (("carla", "elena"), {"numbers": [FREE]}, "Carla"),
        (("elena",), {"numbers": ["Elena"]}, "Elena"),
        (("elena",), {"entity_id": "notify.elena"}, "Elena"),
        (("carla", "elena"), {"numbers": [FREE, "Elena"]}, "Elena"),
        (
            ("carla", "elena"),
            {"numbers": [FREE], "entity_id": "notify.elena"},
            "Elena",
        ),
    ],
)
async def test_a_number_of_two_recipients_is_for_who_may_control_both(
    hass: HomeAssistant,
    accounts: Accounts,
    controls: Sequence[str],
    given: Mapping[str, object],
    belongs_to: str | None,
) -> None:
    """The message belongs to the recipient that was asked for, else to the first."""
    account = await accounts.set_up(
        "smshosting", recipients={"Carla": [FREE], "Elena": [FREE], "Dario": [BRUNO]}
    )
    guest = MockUser(name="guest").add_to_hass(hass)
    may = {f"notify.{name}": {POLICY_CONTROL: True} for name in controls}
    guest.mock_policy({"entities": {"entity_ids": may}})
    home = Home(hass, account, {"guest": guest, "automation": None})

    if belongs_to is None:
        with pytest.raises(Unauthorized):
            await home.call("guest", "send_sms", message="Ciao", **given)
    else:
        await home.call("guest", "send_sms", message="Ciao", **given)
    found = await home.call("automation", "find_messages")
    assert [one["recipient"] for one in found["messages"]] == (
        [belongs_to] if belongs_to else []
    )
