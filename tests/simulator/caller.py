"""A plain client of the providers, as short as their APIs allow."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import json
from typing import TypedDict, Unpack

import aiohttp

from simulator import PROVIDERS, Simulator

NUMBER = "393401234567"
OTHER = "393401234568"
LANDLINE = "390512345678"
type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def object(self) -> dict[str, Json]:
        """The body as a JSON object."""
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value

    @property
    def items(self) -> list[Json]:
        """The body as a bare JSON list."""
        value = json.loads(self.body)
        assert isinstance(value, list)
        return value

    def rows(self, name: str) -> list[dict[str, Json]]:
        """Return a list of objects in the body."""
        value = self.object[name]
        assert isinstance(value, list)
        rows: list[dict[str, Json]] = []
        for row in value:
            assert isinstance(row, dict)
            rows.append(row)
        return rows


class Parts(TypedDict, total=False):
    """The parts of a request."""

    headers: Mapping[str, str]
    params: Mapping[str, str]
    data: Mapping[str, str] | bytes | aiohttp.FormData
    json: Json


class Caller:
    """Calls the providers with the valid credentials, unless a call changes them."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        """Call this simulator."""
        self.simulator = simulator
        self.session = session

    async def ask(self, method: str, url: str, **parts: Unpack[Parts]) -> Reply:
        """Make one request."""
        async with self.session.request(method, url, **parts) as response:
            return Reply(
                status=response.status,
                headers=response.headers,
                body=await response.read(),
            )

    def login(self, provider: str) -> dict[str, str]:
        """Return the headers that a provider requires."""
        wanted = self.simulator.credentials(provider)
        match provider:
            case "smsviainternet":
                return {"X-Api-Token": wanted["api_token"]}
            case "smshosting":
                return basic(wanted["auth_key"], wanted["auth_secret"])
            case "transactionale":
                return {"Authorization": wanted["api_key"]}
            case _:
                return {}

    async def svi(self, **fields: Json) -> Reply:
        """Send through SMSviaInternet."""
        body = {"text": "Ciao", "numbers": f"+{NUMBER}", "sender": "Casa"} | fields
        return await self.ask(
            "POST",
            self.simulator.url("smsviainternet") + "/api/rest/v1/sms.json",
            headers=self.login("smsviainternet"),
            json={name: value for name, value in body.items() if value is not None},
        )

    async def svi_get(self, path: str, /, **query: str) -> Reply:
        """Read from SMSviaInternet."""
        return await self.ask(
            "GET",
            f"{self.simulator.url('smsviainternet')}/api/rest/v1/{path}",
            headers=self.login("smsviainternet"),
            params=query,
        )

    async def smsh(self, path: str = "sms/send", /, **fields: str) -> Reply:
        """Post a form to Smshosting; a send if no path is given."""
        if path == "sms/send":
            fields = {"text": "Ciao", "to": NUMBER, "from": "Casa"} | fields
        return await self.ask(
            "POST",
            f"{self.simulator.url('smshosting')}/{path}",
            headers=self.login("smshosting"),
            data=fields,
        )

    async def smsh_get(self, path: str, /, **query: str) -> Reply:
        """Read from Smshosting."""
        return await self.ask(
            "GET",
            f"{self.simulator.url('smshosting')}/{path}",
            headers=self.login("smshosting"),
            params=query,
        )

    async def trx(self, **fields: Json) -> Reply:
        """Send through Transactionale."""
        body = {"phone": NUMBER, "sender_id": "Casa", "body": "Ciao"} | fields
        return await self.ask(
            "POST",
            self.simulator.url("transactionale") + "/platform/api/sms/send",
            headers=self.login("transactionale"),
            json={name: value for name, value in body.items() if value is not None},
        )

    async def trx_get(self, message_id: str) -> Reply:
        """Read a message from Transactionale."""
        base = self.simulator.url("transactionale")
        return await self.ask(
            "GET",
            f"{base}/platform/api/sms/send/{message_id}",
            headers=self.login("transactionale"),
        )

    async def invio(self, path: str = "sendsms/", /, **fields: str | None) -> Reply:
        """Ask Inviosmart; a send if no path is given. None leaves a field out."""
        query: dict[str, str | None] = {**self.simulator.credentials("inviosmart")}
        if path == "sendsms/":
            query |= {"destination": NUMBER, "sender": "Casa", "message": "Ciao"}
        query |= fields
        return await self.ask(
            "GET",
            f"{self.simulator.url('inviosmart')}/{path}",
            params={name: text for name, text in query.items() if text is not None},
        )

    async def send(self, provider: str, text: str = "Ciao") -> Reply:
        """Send a valid message to `NUMBER` through any provider."""
        account = self.simulator.account(provider)
        call = PROVIDERS[provider].send_call(account, f"+{NUMBER}", text)
        parts: Parts = {"headers": call.headers}
        match call.encoding:
            case "query":
                parts["params"] = call.fields
            case "form":
                parts["data"] = call.fields
            case "json":
                parts["json"] = {**call.fields}
        url = self.simulator.url(provider) + call.path
        return await self.ask(call.method, url, **parts)

    async def control(self, name: str, **body: Json) -> Reply:
        """Post to the control API."""
        return await self.ask(
            "POST", f"{self.simulator.address}/control/{name}", json=body
        )


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of a Basic login."""
    token = b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds in the simulator, which runs in the same loop."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the simulator has no event for it
            await asyncio.sleep(0.001)
