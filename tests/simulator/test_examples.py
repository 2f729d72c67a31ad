"""What readers of the providers' pages would write, in several languages.

Only the host is another one; credentials, numbers and texts are those of the pages.
"""

from base64 import b64encode
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from simulator import Channel, Simulator, Toggle

from .caller import Json
from .examples import LANGUAGES, Example, execute, run, run_script

EACH_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
AS_JSON = "Content-Type: application/json"


def posted(path: str, headers: dict[str, str], body: dict[str, Json]) -> Example:
    """Return an example that posts JSON."""
    lines = [AS_JSON, *(f"{name}: {value}" for name, value in headers.items())]
    text = json.dumps(body)
    return Example(
        path=path,
        curl=(*(part for line in lines for part in ("-H", line)), "-d", text),
        method="POST",
        headers={"Content-Type": "application/json", **headers},
        body=text,
    )


# SMSviaInternet


@EACH_LANGUAGE
@pytest.mark.parametrize("extension", ["json", "xml"])
async def test_smsviainternet_sends_and_answers_as_on_the_page(
    simulator: Simulator, language: str, extension: str
) -> None:
    """In the format that the extension names."""
    example = posted(
        f"/api/rest/v1/sms.{extension}",
        {"X-Api-Token": simulator.credentials("smsviainternet")["api_token"]},
        {
            "gateway": 0,
            "sender": "Mittente",
            "text": "Ciao, è pronto",
            "numbers": "+393801234567",
        },
    )

    shown = await run(language, simulator.url("smsviainternet"), example)

    (message,) = simulator.messages
    assert (message.to, message.sender) == ("+393801234567", "Mittente")
    assert message.text == "Ciao, è pronto"
    if extension == "json":
        assert json.loads(shown) == {
            "queue_id": message.reference,
            "async": False,
            "credit": 49950,
            "sending_sms_count": 1,
            "sending_contacts_count": 1,
            "sending_cost": 50,
        }
    else:
        assert f"<queue_id>{message.reference}</queue_id><async>0</async>" in shown


# Transactionale

KEY = {"Authorization": "abc123"}
TRANSACTIONALE = "/platform/api/sms/send"
MESSAGE: dict[str, Json] = {
    "phone": "393000000000",
    "sender_id": "MyShop",
    "body": "Hello, world!",
    "webhook_url": "https://www.myshop.com/webhook/sms",
}


@pytest.fixture
def transactionale(simulator: Simulator) -> str:
    """Return the address of the account that has the page's key."""
    simulator.set_credentials("transactionale", api_key=KEY["Authorization"])
    return simulator.url("transactionale")


def read(path: str) -> Example:
    """Return an example that reads with the key alone."""
    return Example(path=path, curl=("-H", "Authorization: abc123"), headers=KEY)


@EACH_LANGUAGE
@pytest.mark.parametrize("rule", [{}, {"receive_dlr": "default"}], ids=["", "rule"])
@pytest.mark.parametrize("path", [TRANSACTIONALE, "/api/v1/send"])
async def test_transactionale_sends_and_shows_the_message(
    simulator: Simulator,
    transactionale: str,
    language: str,
    rule: dict[str, Json],
    path: str,
) -> None:
    """With the rule for reports or without it, and on both paths for reading."""
    send = posted(TRANSACTIONALE, KEY, {**MESSAGE, **rule})

    sent = json.loads(await run(language, transactionale, send))
    shown = await run(language, transactionale, read(f"{path}/{sent['id']}"))

    (message,) = simulator.messages
    assert sent == json.loads(shown)
    assert sent == {
        **MESSAGE,
        "id": int(message.id),
        "status": "pending",
        "delivery_status": "unknown",
        "country": "IT",
        "is_two_way": False,
        "receive_dlr": "default",
        "url": f"{transactionale}{TRANSACTIONALE}/{message.id}",
    }


@EACH_LANGUAGE
async def test_transactionale_takes_the_key_where_the_page_shows_it(
    simulator: Simulator, transactionale: str, language: str
) -> None:
    """The page prints no answer to it; with another key it is the printed one."""
    answers = []
    for key in ("abc123", "another"):
        simulator.set_credentials("transactionale", api_key=key)
        shown = await run(language, transactionale, read(TRANSACTIONALE))
        answers.append(json.loads(shown)["status_code"])
    assert answers[0] != 401
    assert answers[1] == 401


# Inviosmart

LOGIN = "username=myusername&password=mypass"


@pytest.fixture
def inviosmart(simulator: Simulator) -> str:
    """Return the address of the account that has the page's login."""
    simulator.set_credentials("inviosmart", username="myusername", password="mypass")
    return simulator.url("inviosmart")


@EACH_LANGUAGE
async def test_inviosmart_sends_and_reports_the_message(
    simulator: Simulator, inviosmart: str, language: str
) -> None:
    """In a line each."""
    message = "destination=393391234567&sender=MyName&message=Hello%20there."
    send = Example(path=f"/sendsms/?{LOGIN}&{message}")

    sent = await run(language, inviosmart, send)
    (accepted,) = simulator.messages
    status = Example(path=f"/smsstatus/?SMSId={accepted.id}&{LOGIN}")
    fields = (await run(language, inviosmart, status)).split(":")

    assert sent == f"OK ID:{accepted.id}"
    assert (accepted.to, accepted.sender) == ("+393391234567", "MyName")
    assert accepted.text == "Hello there."
    assert fields[0] == accepted.id
    assert fields[2] == "393391234567"
    assert fields[4:] == ["1", "1", "0.057"]


@EACH_LANGUAGE
async def test_inviosmart_shows_balance_and_help(
    inviosmart: str, language: str
) -> None:
    """The balance with a country and without one."""
    balance = Example(path=f"/account-balance/?{LOGIN}")
    left = Example(path=f"/account-balance/?{LOGIN}&countryprefix=39")
    shown = [await run(language, inviosmart, one) for one in (balance, left)]
    assert shown == [
        "Status: 1000 - Balance:112.24|SmsRemainCount:-9999",
        "Status: 1000 - Balance:112.24|SmsRemainCount:1969",
    ]
    assert await run(language, inviosmart, Example(path="/help"))


# Smshosting

AUTH = f"Basic {b64encode(b'AUTH_KEY:AUTH_SECRET').decode()}"
PHONE = "393480000000"
SHORT_PHONE = "39347000000"
"""A digit shorter, as the page's other languages have it."""
PICTURE = b"\xff\xd8\xff\xe0--\r\n\x00JFIF"
UPLOAD = {
    "python": """
import sys, urllib.request
url, login, path = sys.argv[1:]
part = '--limit\\r\\nContent-Disposition: form-data; name="%s"%s\\r\\n\\r\\n'
body = (part % ("to", "")).encode() + b"39347000000\\r\\n"
body += (part % ("text", "")).encode() + b"ciao ciao\\r\\n"
body += (part % ("file", '; filename="img.jpg"')).encode()
body += open(path, "rb").read() + b"\\r\\n--limit--\\r\\n"
headers = {
    "Authorization": login,
    "Accept": "application/json",
    "Content-Type": "multipart/form-data; boundary=limit",
}
request = urllib.request.Request(url, body, headers)
print(urllib.request.urlopen(request).read().decode())
""",
    "node": """
const [url, login, path] = process.argv.slice(1);
const body = new FormData();
body.append("to", "39347000000");
body.append("text", "ciao ciao");
body.append("file", new Blob([require("fs").readFileSync(path)]), "img.jpg");
fetch(url, {
  method: "POST",
  headers: { Authorization: login, Accept: "application/json" },
  body,
}).then((answer) => answer.text()).then(console.log);
""",
}


@pytest.fixture
def smshosting(simulator: Simulator) -> str:
    """Return the address of the account with the page's login and phones with apps."""
    simulator.set_credentials(
        "smshosting", auth_key="AUTH_KEY", auth_secret="AUTH_SECRET"
    )
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.set_push_phones("smshosting", f"+{PHONE}", f"+{SHORT_PHONE}")
    return simulator.url("smshosting")


def asked(path: str, **fields: str) -> Example:
    """Return an example that posts a form, or reads without one."""
    options = [part for name in fields for part in ("-d", f"{name}={fields[name]}")]
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if fields else {}
    return Example(
        path=path,
        curl=("--user", "AUTH_KEY:AUTH_SECRET", *options),
        method="POST" if fields else "GET",
        headers={"Authorization": AUTH, "Accept": "application/json", **kind},
        body=urlencode(fields),
    )


@EACH_LANGUAGE
async def test_smshosting_sends_a_push_and_finds_it(
    simulator: Simulator, smshosting: str, language: str
) -> None:
    """By the date as the page writes it."""
    send = asked("/push/send", to=PHONE, text="Test Push")
    search = asked("/push/search?fromDate=2011-01-01T00:00:00-0200")

    sent = json.loads(await run(language, smshosting, send))
    found = json.loads(await run(language, smshosting, search))

    (message,) = simulator.messages
    assert sent == {
        "transactionId": message.reference,
        "smsInserted": 0,
        "smsNotInserted": 0,
        "pushInserted": 1,
        "sms": [
            {"id": int(message.id), "to": PHONE, "status": "INSERTED", "type": "PUSH"}
        ],
    }
    assert found["metadata"] == {"count": 1, "offset": 0, "limit": 20}
    (row,) = found["smsList"]
    assert (row["id"], row["to"]) == (int(message.id), PHONE)
    assert (row["text"], row["status"]) == ("Test Push", "PENDING")
    assert row["transactionId"] == message.reference


@EACH_LANGUAGE
async def test_smshosting_sends_a_push_with_a_picture(
    simulator: Simulator, smshosting: str, language: str, tmp_path: Path
) -> None:
    """As each language writes a form with a file."""
    path = tmp_path / "img.jpg"
    path.write_bytes(PICTURE)
    url = f"{smshosting}/push/send"

    if language == "curl":
        fields = (f"to={SHORT_PHONE}", "text=ciao ciao", f"file=@{path}")
        options = [part for one in fields for part in ("-F", one)]
        login = ("--user", "AUTH_KEY:AUTH_SECRET")
        shown = await execute("curl", "--silent", *login, *options, url)
    else:
        shown = await run_script(language, UPLOAD, url, AUTH, str(path))

    (message,) = simulator.messages
    assert json.loads(shown)["pushInserted"] == 1
    assert (message.to, message.text) == (f"+{SHORT_PHONE}", "ciao ciao")
    assert message.channel is Channel.PUSH
    kept = simulator.picture(message.extra["picture"])
    assert kept is not None
    assert kept.content == PICTURE


@EACH_LANGUAGE
async def test_smshosting_answers_the_other_examples(
    simulator: Simulator, smshosting: str, language: str
) -> None:
    """Estimates of a Push and of an SMS, a search by ID and an invitation."""
    shown = [
        json.loads(await run(language, smshosting, one))
        for one in (
            asked("/push/estimate", to=PHONE, text="Test Push"),
            asked("/sms/estimate", to="393470000000", text="ciao"),
            asked("/push/search?id=419853396"),
            asked("/sms/search?id=419853396"),
            asked("/push/invitation", to=PHONE),
        )
    ]
    push, sms, *searches, invitation = shown
    none = {"metadata": {"count": 0, "offset": 0, "limit": 20}, "smsList": []}

    assert push == {
        "cost": 0,
        "userCredit": 45.5,
        "smsCount": 0,
        "pushCount": 1,
        "pushAvailable": 900,
    }
    assert sms == {"cost": 0.062, "userCredit": 45.5, "smsCount": 1}
    assert searches == [none, none]
    assert invitation["to"] == PHONE
    assert invitation["url"].startswith("cqui.it/")
    assert not simulator.messages
