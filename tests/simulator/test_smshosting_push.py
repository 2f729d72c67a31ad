"""The Smshosting side of the simulator: Push."""

from decimal import Decimal

import aiohttp
import pytest

from simulator import Channel, Simulator

from .caller import NUMBER, OTHER, Caller, Reply

PICTURE = b"\x89PNG\r\n\x1a\n\x00--\r\n\xff\r\n"


@pytest.fixture
def push(simulator: Simulator) -> Simulator:
    """Return the simulator with a Push plan; one phone has the app."""
    simulator.switch_on("smshosting", "push_plan")
    simulator.account("smshosting").push_phones.add(f"+{NUMBER}")
    return simulator


async def test_without_a_plan_everything_is_refused(caller: Caller) -> None:
    """That is how a plain account looks."""
    replies = [
        await caller.smsh("push/send", to=NUMBER, text="Ciao"),
        await caller.smsh("push/estimate", to=NUMBER, text="Ciao"),
        await caller.smsh("push/invitation", to=NUMBER),
        await caller.smsh_get("push/search", id="1"),
        await caller.smsh_get("push/multimedia/1"),
    ]
    for reply in replies:
        assert reply.object == {"errorCode": 400, "errorMsg": "PUSH_UNAVAILABLE"}


async def test_only_phones_with_the_app_get_a_push(
    push: Simulator, caller: Caller
) -> None:
    """By default the others are left out."""
    reply = await caller.smsh("push/send", to=f"{NUMBER},{OTHER}", text="Ciao")
    (message,) = push.messages
    assert reply.object["pushInserted"] == 1
    assert reply.rows("sms") == [
        {"id": int(message.id), "to": NUMBER, "status": "INSERTED", "type": "PUSH"}
    ]
    assert (message.channel, message.cost) == (Channel.PUSH, Decimal(0))
    assert push.account("smshosting").push_left == 899


async def test_the_others_can_get_an_sms(push: Simulator, caller: Caller) -> None:
    """With onlyPush=false and a text of their own."""
    fields = {"to": f"{NUMBER},{OTHER},12", "text": "Ciao", "onlyPush": "false"}
    reply = await caller.smsh("push/send", **fields)
    assert reply.object["errorMsg"] == "BAD_TEXT"
    reply = await caller.smsh("push/send", **fields, smsText="Via SMS", smsFrom="Casa")
    counts = [reply.object[f"{name}Inserted"] for name in ("sms", "smsNot", "push")]
    assert counts == [1, 1, 1]
    assert (reply.object["from"], reply.object["text"]) == ("Casa", "Via SMS")
    assert [(m.to, m.text) for m in push.messages] == [
        (f"+{OTHER}", "Via SMS"),
        (f"+{NUMBER}", "Ciao"),
    ]


async def test_a_picture_can_be_sent_found_and_read(
    push: Simulator, caller: Caller
) -> None:
    """As multipart; the bytes stay what they were."""
    form = aiohttp.FormData()
    form.add_field("to", NUMBER)
    form.add_field("file", PICTURE, filename="foto.png", content_type="image/png")
    sent = await caller.ask(
        "POST",
        push.url("smshosting") + "/push/send",
        headers=caller.login("smshosting"),
        data=form,
    )
    assert sent.object["pushInserted"] == 1
    found = await caller.smsh_get("push/search", id=push.messages[0].id)
    (row,) = found.rows("smsList")
    assert row["type"] == "PUSH"
    content = row["multimediaContent"]
    assert isinstance(content, dict)
    assert content["type"] == "IMAGE"
    picture = await caller.smsh_get(f"push/multimedia/{content['id']}")
    assert (picture.body, picture.headers["Content-Type"]) == (PICTURE, "image/png")
    missing = await caller.smsh_get("push/multimedia/x")
    assert missing.object["errorMsg"] == "BAD_ID"


async def test_the_sms_search_does_not_show_a_push(
    push: Simulator, caller: Caller
) -> None:
    """The search of Push shows both."""
    await caller.smsh("push/send", to=NUMBER, text="Ciao", transactionId="uno")
    await caller.smsh(transactionId="uno")
    assert len(push.messages) == 2
    sms = await caller.smsh_get("sms/search", transactionId="uno")
    both = await caller.smsh_get("push/search", transactionId="uno")
    assert [len(sms.rows("smsList")), len(both.rows("smsList"))] == [1, 2]


async def test_the_sandbox_answers_as_ever_and_accepts_nothing(
    push: Simulator, caller: Caller
) -> None:
    """And uses up no Push."""
    reply = await caller.smsh("push/send", to=NUMBER, text="Ciao", sandbox="true")
    assert (reply.object["pushInserted"], reply.object["smsInserted"]) == (1, 0)
    assert [row["type"] for row in reply.rows("sms")] == ["PUSH"]
    assert not push.messages
    assert not push.messages


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": NUMBER}, "BAD_CONTENT_PUSH"),
        ({"to": OTHER, "text": "Ciao"}, "NO_VALID_RECIPIENT"),
        ({"text": "Ciao"}, "NO_VALID_RECIPIENT"),
    ],
)
async def test_a_bad_send_is_refused(
    push: Simulator, caller: Caller, fields: dict[str, str], code: str
) -> None:
    """Text or picture, and somebody who can get it."""
    reply = await caller.smsh("push/send", **fields)
    assert reply.object == {"errorCode": 400, "errorMsg": code}
    assert not push.messages


async def test_the_plan_can_be_used_up(push: Simulator, caller: Caller) -> None:
    """NO_PUSH then."""
    push.account("smshosting").push_left = 0
    reply = await caller.smsh("push/send", to=NUMBER, text="Ciao")
    assert reply.object["errorMsg"] == "NO_PUSH"


async def test_an_estimate_counts_push_and_sms(push: Simulator, caller: Caller) -> None:
    """And sends nothing."""
    reply: Reply = await caller.smsh(
        "push/estimate",
        to=f"{NUMBER},{OTHER}",
        text="Ciao",
        onlyPush="false",
        smsText="Ciao",
    )
    assert reply.object == {
        "cost": 0.062,
        "userCredit": 45.5,
        "smsCount": 1,
        "pushCount": 1,
        "pushAvailable": 900,
    }
    reply = await caller.smsh("push/estimate", to=NUMBER, text="Ciao")
    assert (reply.object["cost"], reply.object["smsCount"]) == (0, 0)
    assert not push.messages


async def test_an_invitation_is_a_link(push: Simulator, caller: Caller) -> None:
    """For a good number only."""
    reply = await caller.smsh("push/invitation", to=NUMBER)
    assert reply.object["to"] == NUMBER
    assert str(reply.object["url"]).startswith("cqui.it/")
    for fields, code in (({}, "NO_PARAMS"), ({"to": "12"}, "BAD_TO")):
        reply = await caller.smsh("push/invitation", **fields)
        assert reply.object["errorMsg"] == code
    assert push.requests[-1].path == "/rest/api/push/invitation"


async def test_phones_with_the_app_are_set_over_http(
    simulator: Simulator, caller: Caller
) -> None:
    """So that the page's own example answers with a Push."""
    simulator.switch_on("smshosting", "push_plan")
    await caller.control(
        "push_phones", provider="smshosting", numbers=["+393480000000"]
    )
    reply = await caller.smsh("push/send", to="393480000000", text="Test Push")
    assert reply.object["pushInserted"] == 1
    reply = await caller.control("push_phones", provider="smshosting", numbers="x")
    assert reply.status == 400
