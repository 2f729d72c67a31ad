"""A client of a running Home Assistant: REST and websocket, like its own UI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, Required, Self, TypedDict, cast

import aiohttp

from .waiting import HomeAssistantError, until

START_SECONDS = 180

USERNAME = "sviluppo"
PASSWORD = "sms-italia"  # noqa: S105 - of an instance that only this machine reaches

HOME = {
    "location_name": "Casa",
    "language": "it",
    "country": "IT",
    "currency": "EUR",
    "time_zone": "Europe/Rome",
    "unit_system": "metric",
    "latitude": 41.9028,
    "longitude": 12.4964,
    "elevation": 21,
}

type Fields = Mapping[str, object]


class State(TypedDict):
    """The state of an entity: the keys that are used here."""

    entity_id: str
    state: str
    attributes: dict[str, object]


class RegisteredEntity(TypedDict):
    """An entity of the registry: the keys that are used here."""

    entity_id: str
    config_entry_id: str | None
    config_subentry_id: str | None
    translation_key: str | None


class _Token(TypedDict):
    access_token: str


class Entry(TypedDict):
    """A config entry: the keys that are used here."""

    entry_id: str
    title: str


class Flow(TypedDict, total=False):
    """The state of a flow: the keys that are used here."""

    flow_id: Required[str]
    type: Required[str]
    menu_options: list[str]
    errors: dict[str, str] | None
    reason: str
    result: Entry
    next_flow: tuple[str, str]


class _Reply(TypedDict):
    success: bool
    result: NotRequired[object]
    error: NotRequired[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The REST endpoint of one kind of flow."""

    path: str


ACCOUNTS = Endpoint(path="/api/config/config_entries/flow")
SUBENTRIES = Endpoint(path="/api/config/config_entries/subentries/flow")
OPTIONS = Endpoint(path="/api/config/config_entries/options/flow")


class Client:
    """A client of one instance; `onboard` returns one."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Use an access token, which is valid for half an hour, in this session."""
        self._session = session
        self._url = url
        self._token = token
        session.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    async def onboard(cls, session: aiohttp.ClientSession, url: str) -> Self:
        """Create the first user, as the UI does at its first visit, and log in.

        The session is authorised for all later requests. Raises HomeAssistantError.
        """
        client_id = {"client_id": f"{url}/"}
        user = await _post(
            session,
            f"{url}/api/onboarding/users",
            json={
                **client_id,
                "name": "Sviluppo",
                "username": USERNAME,
                "password": PASSWORD,
                "language": HOME["language"],
            },
        )
        client = await cls._redeem(session, url, str(cast("Fields", user)["auth_code"]))
        await _post(session, f"{url}/api/onboarding/analytics", json={})
        await _post(
            session,
            f"{url}/api/onboarding/integration",
            json={**client_id, "redirect_uri": f"{url}/?auth_callback=1"},
        )
        await client.command("config/core/update", **HOME)
        return client

    @classmethod
    async def _redeem(cls, session: aiohttp.ClientSession, url: str, code: str) -> Self:
        """Exchange the code of a login for an access token."""
        token = await _post(
            session,
            f"{url}/auth/token",
            data={
                "client_id": f"{url}/",
                "grant_type": "authorization_code",
                "code": code,
            },
        )
        return cls(session, url, cast("_Token", token)["access_token"])

    async def command(self, kind: str, **fields: object) -> object:
        """Send one websocket command and return its result.

        On a new connection: Home Assistant closes one that is not read from.
        """
        async with self._session.ws_connect(
            f"{self._url}/api/websocket", max_msg_size=0
        ) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self._token})
            if (await socket.receive_json())["type"] != "auth_ok":
                raise HomeAssistantError("the websocket refused the access token")
            await socket.send_json({"id": 1, "type": kind, **fields})
            reply: _Reply = await socket.receive_json()
        if not reply["success"]:
            raise HomeAssistantError(f"{kind}: {reply.get('error')}")
        return reply.get("result")

    async def call(
        self, action: str, data: Fields, target: Fields | None = None
    ) -> None:
        """Call an action without a response."""
        await self._call(action, data, target, return_response=False)

    async def call_for_response(self, action: str, data: Fields) -> object:
        """Call an action and return its response."""
        result = await self._call(action, data, None, return_response=True)
        return cast("Fields", result)["response"]

    async def _call(
        self, action: str, data: Fields, target: Fields | None, *, return_response: bool
    ) -> object:
        domain, _, service = action.partition(".")
        return await self.command(
            "call_service",
            domain=domain,
            service=service,
            service_data=data,
            return_response=return_response,
            **({} if target is None else {"target": target}),
        )

    async def wait_until_running(self) -> None:
        """Wait until the start is over and every action is registered."""

        async def runs() -> bool | None:
            config = cast("Fields", await self.command("get_config"))
            return config["state"] == "RUNNING" or None

        await until(runs, START_SECONDS, "Home Assistant runs")

    async def states(self) -> dict[str, State]:
        """Return the states of all entities by entity id."""
        states = cast("list[State]", await self.command("get_states"))
        return {state["entity_id"]: state for state in states}

    async def entities(self) -> list[RegisteredEntity]:
        """Return the entities of the registry."""
        return cast(
            "list[RegisteredEntity]", await self.command("config/entity_registry/list")
        )

    async def start_flow(
        self, endpoint: Endpoint, handler: str | Sequence[str]
    ) -> Flow:
        """Start a flow and return its first step."""
        return await self._flow(endpoint.path, {"handler": handler})

    async def submit_step(
        self, endpoint: Endpoint, flow_id: str, answer: Fields
    ) -> Flow:
        """Submit a step of a flow and return the next one."""
        return await self._flow(f"{endpoint.path}/{flow_id}", answer)

    async def _flow(self, path: str, body: Fields) -> Flow:
        return cast("Flow", await _post(self._session, self._url + path, json=body))

    async def save_automation(self, key: str, config: Fields) -> None:
        """Store an automation, as its editor does."""
        path = f"{self._url}/api/config/automation/config/{key}"
        await _post(self._session, path, json=config)


async def wait_until_served(
    session: aiohttp.ClientSession, url: str, path: str = "/api/onboarding"
) -> None:
    """Wait until Home Assistant serves a path.

    The default is served until the first user is created.
    """

    async def served() -> bool | None:
        try:
            async with session.get(f"{url}{path}") as response:
                return response.ok or None
        except aiohttp.ClientError:
            return None

    await until(served, START_SECONDS, "Home Assistant answers")


async def _post(
    session: aiohttp.ClientSession,
    url: str,
    *,
    json: Fields | None = None,
    data: Mapping[str, str] | None = None,
) -> object:
    """Post and return the JSON answer. Raises HomeAssistantError."""
    async with session.post(url, json=json, data=data) as response:
        if not response.ok:
            text = await response.text()
            raise HomeAssistantError(f"POST {response.url.path}: {text}")
        return cast("object", await response.json())
