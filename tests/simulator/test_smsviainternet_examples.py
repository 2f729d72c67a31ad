"""What a reader of SMSviaInternet's page would write, in the languages it names."""

import asyncio
import json
import shutil
import sys

import pytest

from simulator import Simulator

from .caller import Json

KEY = "smsviainternet"
MESSAGE: dict[str, Json] = {
    "gateway": 0,
    "sender": "Mittente",
    "text": "Ciao, è pronto",
    "numbers": "+393801234567",
}
"""The fields of the page's examples."""

PYTHON = """
import sys, urllib.request
url, token, body = sys.argv[1:]
headers = {"X-Api-Token": token, "Content-Type": "application/json"}
request = urllib.request.Request(url, body.encode(), headers)
print(urllib.request.urlopen(request).read().decode())
"""
NODE = """
const [url, token, body] = process.argv.slice(1);
fetch(url, {
  method: "post",
  headers: { "X-Api-Token": token, "Content-Type": "application/json" },
  body,
}).then((answer) => answer.text()).then(console.log);
"""


def command(language: str, url: str, token: str, body: str) -> list[str]:
    """Return the command line of an example."""
    match language:
        case "python":
            return [sys.executable, "-c", PYTHON, url, token, body]
        case "node":
            return ["node", "-e", NODE, url, token, body]
        case _:
            headers = [f"X-Api-Token: {token}", "Content-Type: application/json"]
            options = [part for header in headers for part in ("--header", header)]
            return ["curl", "--silent", "--location", url, *options, "--data", body]


@pytest.mark.parametrize("language", ["python", "curl", "node"])
@pytest.mark.parametrize("extension", ["json", "xml"])
async def test_an_example_of_the_page_sends_and_gets_the_page_s_answer(
    simulator: Simulator, language: str, extension: str
) -> None:
    """Only the host is another one."""
    if language != "python" and shutil.which(language) is None:
        pytest.skip(f"no {language} here")
    process = await asyncio.create_subprocess_exec(
        *command(
            language,
            f"{simulator.url(KEY)}/api/rest/v1/sms.{extension}",
            simulator.credentials(KEY)["api_token"],
            json.dumps(MESSAGE),
        ),
        stdout=asyncio.subprocess.PIPE,
    )
    shown, _ = await process.communicate()

    (message,) = simulator.messages
    assert (message.to, message.sender) == ("+393801234567", "Mittente")
    assert message.text == MESSAGE["text"]
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
        assert f"<queue_id>{message.reference}</queue_id><async>0</async>".encode() in (
            shown
        )
