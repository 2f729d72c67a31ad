"""The websocket commands of the card: pages, what changes, and who sees what."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from homeassistant.auth.permissions.const import POLICY_READ
from homeassistant.components.websocket_api.const import TYPE_RESULT
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import (
    CLIENT_ID,
    MockConfigEntry,
    MockUser,
)
from pytest_homeassistant_custom_component.typing import (
    MockHAClientWebSocket,
    WebSocketGenerator,
)

from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.messaging import LedgerUnreadableError
from simulator import Simulator

from .accounts import Accounts

ANNA = "+393331234567"
BRUNO = "+393409876543"
FREE = "+393201112223"
LATER = "2035-07-01 08:00:00+00:00"

EVERY_FIELD = {
    *("id", "to", "status", "account", "provider_id", "parts", "encoding", "cost"),
    *("error", "type", "send_at", "message", "created", "updated"),
    *("recipient", "resent", "can_cancel", "actions"),
}
FEW_FIELDS = {
    *("id", "to", "status", "send_at", "created", "updated", "recipient"),
    *("resent", "can_cancel", "actions"),
}


@dataclass(slots=True)
class Card:
    """What the card of one user does."""

    socket: MockHAClientWebSocket
    events: list[Any] = field(default_factory=list)

    async def command(self, kind: str, **fields: object) -> dict[str, Any]:
        """Send a command; return its answer. Events that come before it are kept."""
        await self.socket.send_json_auto_id(
            {"type": f"{DOMAIN}/messages/{kind}", **fields}
        )
        while (reply := await self.socket.receive_json())["type"] != TYPE_RESULT:
            self.events.append(reply["event"])
        return dict(reply)

    async def page(self, **fields: object) -> list[dict[str, Any]]:
        """Return the messages of a page."""
        return list((await self.command("list", **fields))["result"]["messages"])

    async def event(self) -> list[dict[str, Any]] | None:
        """Return the messages of the next event."""
        if not self.events:
            self.events.append((await self.socket.receive_json())["event"])
        messages: list[dict[str, Any]] | None = self.events.pop(0)["messages"]
        return messages

    async def change(self) -> dict[str, Any]:
        """Return the one message of the next event."""
        messages = await self.event()
        assert messages is not None
        (message,) = messages
        return message


type Open = Callable[[MockUser | None], Awaitable[Card]]


@pytest.fixture
def card(hass: HomeAssistant, hass_ws_client: WebSocketGenerator) -> Open:
    """Return what opens the card of a user; of an administrator if none is given."""

    async def open_card(user: MockUser | None = None) -> Card:
        if user is None:
            return Card(await hass_ws_client(hass))
        refresh = await hass.auth.async_create_refresh_token(user, CLIENT_ID)
        token = hass.auth.async_create_access_token(refresh)
        return Card(await hass_ws_client(hass, token))

    return open_card


@pytest.fixture
async def account(accounts: Accounts) -> MockConfigEntry:
    """Return an account with two recipients."""
    return await accounts.set_up(
        "inviosmart", recipients={"Anna": [ANNA], "Bruno": [BRUNO]}
    )


@pytest.fixture
def user(hass: HomeAssistant) -> MockUser:
    """Return an ordinary user."""
    user = MockUser(name="user").add_to_hass(hass)
    user.mock_policy({"entities": True})
    return user


@pytest.fixture
def guest(hass: HomeAssistant) -> MockUser:
    """Return a user who may only read Anna's entity."""
    guest = MockUser(name="guest").add_to_hass(hass)
    guest.mock_policy(
        {"entities": {"entity_ids": {"notify.anna": {POLICY_READ: True}}}}
    )
    return guest


async def send(
    hass: HomeAssistant,
    message: str,
    user: MockUser | None = None,
    **data: object,
) -> None:
    """Send as somebody; as an automation if no user is given."""
    await hass.services.async_call(
        DOMAIN,
        "send_sms",
        {"message": message, **data},
        blocking=True,
        context=Context(user_id=user.id if user else None),
    )


def texts(rows: list[dict[str, Any]]) -> list[str]:
    """Return the texts of messages."""
    return [row["message"] for row in rows]


def names(rows: list[dict[str, Any]]) -> list[tuple[str | None, str]]:
    """Return name and number of messages."""
    return [(row["recipient"], row["to"]) for row in rows]


# Pages


@pytest.mark.usefixtures("account")
async def test_a_page_is_followed_by_what_is_older(
    hass: HomeAssistant, card: Open
) -> None:
    """By the ID of its last message, whatever is sent meanwhile."""
    for number in range(5):
        await send(hass, f"Numero {number}", numbers="Anna")
    mine = await card(None)

    first = (await mine.command("list", limit=2))["result"]
    await send(hass, "Nuovo", numbers="Anna")
    last = first["messages"][-1]["id"]
    second = (await mine.command("list", limit=3, before=last))["result"]

    assert texts(first["messages"]) == ["Numero 4", "Numero 3"]
    assert texts(second["messages"]) == ["Numero 2", "Numero 1", "Numero 0"]
    assert (first["more"], second["more"]) == (True, False)


@pytest.mark.parametrize(
    "fields", [{"limit": 51}, {"limit": 0}, {"view": "failed"}, {"before": []}]
)
@pytest.mark.usefixtures("account")
async def test_a_page_that_is_too_long_or_unknown_is_refused(
    card: Open, fields: dict[str, object]
) -> None:
    mine = await card(None)
    reply = await mine.command("list", **fields)
    assert (reply["success"], reply["error"]["code"]) == (False, "invalid_format")


async def test_messages_are_looked_at_by_what_became_of_them(
    hass: HomeAssistant, account: MockConfigEntry, simulator: Simulator, card: Open
) -> None:
    """One that was cancelled is none that failed."""
    simulator.account("inviosmart").blocked.add(BRUNO)
    await send(hass, "Domani", numbers="Anna", send_at=LATER)
    await send(hass, "Mai", numbers="Anna", send_at=LATER)
    await send(hass, "Ora", numbers="Anna")
    with pytest.raises(HomeAssistantError):
        await send(hass, "Invano", numbers="Bruno")
    mine = await card(None)
    cancelled = (await mine.page())[2]["id"]
    await hass.services.async_call(
        DOMAIN, "cancel", {"message_id": cancelled}, blocking=True
    )

    all_of_them = await mine.page()
    waiting = await mine.page(view="waiting")
    undelivered = await mine.page(view="undelivered")

    assert texts(all_of_them) == ["Invano", "Ora", "Mai", "Domani"]
    assert all_of_them[2]["status"] == "cancelled"
    assert "Domani" in texts(waiting)
    assert "Mai" not in texts(waiting)
    assert texts(undelivered) == ["Invano"]
    assert await mine.page(view="delivered") == []
    actions = {row["message"]: row["actions"] for row in all_of_them}
    assert actions == {"Invano": ["resend"], "Ora": [], "Mai": [], "Domani": ["cancel"]}
    assert await mine.page(config_entry_id=account.entry_id) == all_of_them
    assert await mine.page(config_entry_id="other") == []


async def test_without_an_account_or_a_readable_ledger_the_answer_says_so(
    hass: HomeAssistant,
    account: MockConfigEntry,
    card: Open,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By the key of the sentence, and without an error in the log."""

    async def find(*_args: object) -> None:
        raise LedgerUnreadableError

    mine = await card(None)
    unknown = await mine.command("list", before="niente")
    monkeypatch.setattr(account.runtime_data.messenger.ledger, "find", find)
    unreadable = await mine.command("list")
    await hass.config_entries.async_unload(account.entry_id)
    unloaded = await mine.command("list")

    keys = [one["error"]["translation_key"] for one in (unknown, unreadable, unloaded)]
    assert keys == ["unknown_message", "history_unreadable", "account_not_loaded"]
    assert "Error handling message" not in caplog.text


async def test_what_its_provider_would_never_cancel_is_known_before_and_after(
    hass: HomeAssistant, accounts: Accounts, card: Open
) -> None:
    """Of what waits here, and of what a provider cancels, the card says nothing."""
    entries = {
        key: await accounts.set_up(key, recipients={"Anna": [ANNA]})
        for key in ("smsviainternet", "smshosting", "inviosmart")
    }
    for key, entry in entries.items():
        account = entry.entry_id
        await send(hass, key, numbers=ANNA, send_at=LATER, config_entry_id=account)

    answer = (await (await card(None)).command("list"))["result"]

    assert answer["cannot_cancel"] == [entries["smsviainternet"].entry_id]
    assert {row["message"]: row["can_cancel"] for row in answer["messages"]} == {
        "smsviainternet": False,
        "smshosting": True,
        "inviosmart": True,
    }


# Who sees what


@pytest.mark.usefixtures("account")
async def test_an_administrator_sees_everything(
    hass: HomeAssistant, card: Open, user: MockUser
) -> None:
    await send(hass, "Ad Anna", user, numbers="Anna")
    await send(hass, "A un numero", numbers=FREE)
    rows = await (await card(None)).page()
    assert names(rows) == [(None, FREE), ("Anna", ANNA)]
    assert texts(rows) == ["A un numero", "Ad Anna"]
    assert all(row.keys() == EVERY_FIELD for row in rows)


@pytest.mark.usefixtures("account")
async def test_others_see_their_own_and_those_to_whom_they_may_read(
    hass: HomeAssistant, card: Open, user: MockUser, guest: MockUser
) -> None:
    """Name, status and times: no text and no full number, and no more."""
    texts_sent = map("Segreto {}".format, count())
    for sender, target in (
        (None, "Anna"),
        (None, "Bruno"),
        (None, FREE),
        (user, "Bruno"),
        (user, FREE),
    ):
        await send(hass, next(texts_sent), sender, numbers=target)

    of_user = await (await card(user)).page()
    of_guest = await (await card(guest)).page()

    assert names(of_user) == [
        (None, "***223"),
        ("Bruno", "***543"),
        ("Bruno", "***543"),
        ("Anna", "***567"),
    ]
    assert names(of_guest) == [("Anna", "***567")]
    for row in of_user + of_guest:
        assert row.keys() == FEW_FIELDS
        shown = str(row)
        assert "Segreto" not in shown
        assert not any(number in shown for number in (ANNA, BRUNO, FREE))


@pytest.mark.usefixtures("account")
async def test_actions_are_offered_for_what_is_ones_own(
    hass: HomeAssistant, card: Open, user: MockUser, guest: MockUser
) -> None:
    await send(hass, "Domani", numbers="Anna", send_at=LATER)
    await send(hass, "Domani anch'io", user, numbers="Anna", send_at=LATER)
    offered = {
        who: [row["actions"] for row in await (await card(opened)).page()]
        for who, opened in (("administrator", None), ("user", user), ("guest", guest))
    }
    assert offered == {
        "administrator": [["cancel"], ["cancel"]],
        "user": [["cancel"], []],
        "guest": [[], []],
    }


# What changes


@pytest.mark.usefixtures("account")
async def test_a_subscription_sends_what_is_new_and_what_changes(
    hass: HomeAssistant, card: Open
) -> None:
    """As a page would show it."""
    mine = await card(None)
    assert (await mine.command("subscribe"))["success"]
    await send(hass, "Domani", numbers="Anna", send_at=LATER)
    new = await mine.change()
    await hass.services.async_call(
        DOMAIN, "cancel", {"message_id": new["id"]}, blocking=True
    )
    changed = await mine.change()

    assert (new["status"], new["message"]) == ("queued", "Domani")
    assert changed["status"] == "cancelled"
    assert await mine.page() == [changed]


@pytest.mark.usefixtures("account")
async def test_a_message_sent_again_is_shown_as_such_and_offered_no_more(
    hass: HomeAssistant, simulator: Simulator, card: Open
) -> None:
    """At once, and on every page that is loaded later."""
    blocked = simulator.account("inviosmart").blocked
    blocked.add(BRUNO)
    with pytest.raises(HomeAssistantError):
        await send(hass, "Invano", numbers="Bruno")
    mine = await card(None)
    (failed,) = await mine.page()
    blocked.clear()
    await mine.command("subscribe")
    await hass.services.async_call(
        DOMAIN, "resend", {"message_id": failed["id"]}, blocking=True
    )

    resent = failed | {"resent": True, "actions": []}
    assert (failed["resent"], failed["actions"]) == (False, ["resend"])
    assert resent in (await mine.event() or [])
    assert await mine.page(view="undelivered") == [resent]
    new, old = await mine.page()
    assert (new["message"], new["resent"], old) == ("Invano", False, resent)


@pytest.mark.usefixtures("account")
async def test_a_subscription_sends_nobody_what_they_may_not_see(
    hass: HomeAssistant, card: Open, user: MockUser, guest: MockUser
) -> None:
    of_guest = await card(guest)
    await of_guest.command("subscribe")
    await send(hass, "Segreto", user, numbers="Bruno", send_at=LATER)
    await send(hass, "Segreto", user, numbers=FREE, send_at=LATER)
    await send(hass, "Segreto", user, numbers="Anna", send_at=LATER)
    row = await of_guest.change()
    assert row.keys() == FEW_FIELDS
    assert (row["recipient"], row["to"], row["actions"]) == ("Anna", "***567", [])


async def test_a_subscription_is_to_all_accounts_or_to_one(
    hass: HomeAssistant, accounts: Accounts, account: MockConfigEntry, card: Open
) -> None:
    """All are also those that come later."""
    everything, one = await card(None), await card(None)
    await everything.command("subscribe")
    await one.command("subscribe", config_entry_id=account.entry_id)
    later = await accounts.set_up("transactionale", recipients={"Carla": [FREE]})
    await send(hass, "Uno", numbers=FREE, config_entry_id=later.entry_id)
    await send(hass, "Due", numbers="Anna", config_entry_id=account.entry_id)

    assert texts(await everything.event() or []) == ["Uno"]
    assert texts(await one.event() or []) == ["Due"]


@pytest.mark.usefixtures("account")
async def test_more_changes_than_a_page_has_are_only_announced(
    hass: HomeAssistant, card: Open
) -> None:
    mine = await card(None)
    await mine.command("subscribe")
    numbers = [f"+3933312340{index:02}" for index in range(60)]
    await send(hass, "A tutti", numbers=numbers, send_at=LATER)
    assert await mine.event() is None


@pytest.mark.usefixtures("account")
async def test_nothing_is_sent_after_the_end_of_a_subscription(
    hass: HomeAssistant, card: Open
) -> None:
    mine = await card(None)
    subscription = (await mine.command("subscribe"))["id"]
    await mine.socket.send_json_auto_id(
        {"type": "unsubscribe_events", "subscription": subscription}
    )
    assert (await mine.socket.receive_json())["success"]
    await send(hass, "Ciao", numbers="Anna", send_at=LATER)
    await mine.page()
    assert mine.events == []
