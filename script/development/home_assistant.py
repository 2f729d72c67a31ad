"""A running Home Assistant, spoken to as its own UI does: by REST and websocket."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, Required, Self, TypedDict, cast

import aiohttp

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


class HomeAssistantError(Exception):
    """Home Assistant refused what was asked, or did not answer in time."""


class State(TypedDict):
    """An entity's state, with what of it is used here."""

    entity_id: str
    state: str
    attributes: dict[str, object]


class RegisteredEntity(TypedDict):
    """An entity as the registry lists it, with what of it is used here."""

    entity_id: str
    platform: str
    config_entry_id: str | None
    config_subentry_id: str | None
    translation_key: str | None


class _Token(TypedDict):
    access_token: str


class Entry(TypedDict):
    """A config entry, with what of it is used here."""

    entry_id: str
    title: str


class Flow(TypedDict, total=False):
    """Where a flow stands, with what of it is used here."""

    flow_id: Required[str]
    type: Required[str]
    step_id: str
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
RECIPIENTS = Endpoint(path="/api/config/config_entries/subentries/flow")
OPTIONS = Endpoint(path="/api/config/config_entries/options/flow")


class HomeAssistant:
    """One running instance; make it with `onboard` or `log_in`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Speak over a session with an access token, good for half an hour."""
        self._session = session
        self._url = url
        self._token = token
        session.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    async def onboard(cls, session: aiohttp.ClientSession, url: str) -> Self:
        """Do what the first visit of the UI does, and log in.

        The session is authorised for good. Raises HomeAssistantError.
        """
        client = {"client_id": f"{url}/"}
        user = await _post(
            session,
            f"{url}/api/onboarding/users",
            json={
                **client,
                "name": "Sviluppo",
                "username": USERNAME,
                "password": PASSWORD,
                "language": HOME["language"],
            },
        )
        home_assistant = await cls._redeem(
            session, url, str(cast("Fields", user)["auth_code"])
        )
        await _post(session, f"{url}/api/onboarding/analytics", json={})
        await _post(
            session,
            f"{url}/api/onboarding/integration",
            json={**client, "redirect_uri": f"{url}/?auth_callback=1"},
        )
        await home_assistant.command("config/core/update", **HOME)
        return home_assistant

    @classmethod
    async def log_in(cls, session: aiohttp.ClientSession, url: str) -> Self:
        """Log in as the user that `onboard` made. Raises HomeAssistantError."""
        client = {"client_id": f"{url}/"}
        flow = cast(
            "Flow",
            await _post(
                session,
                f"{url}/auth/login_flow",
                json={
                    **client,
                    "handler": ["homeassistant", None],
                    "redirect_uri": f"{url}/?auth_callback=1",
                },
            ),
        )
        end = await _post(
            session,
            f"{url}/auth/login_flow/{flow['flow_id']}",
            json={**client, "username": USERNAME, "password": PASSWORD},
        )
        return await cls._redeem(session, url, str(cast("Fields", end).get("result")))

    @classmethod
    async def _redeem(cls, session: aiohttp.ClientSession, url: str, code: str) -> Self:
        """Turn the code at the end of a login into an access token."""
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
        """Give one websocket command and return its result.

        On a connection of its own: one that nobody reads from is soon closed.
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

    async def act(
        self, action: str, data: Fields, target: Fields | None = None
    ) -> None:
        """Call an action, as a person does in the developer tools."""
        await self._call(action, data, target, return_response=False)

    async def ask(self, action: str, data: Fields) -> object:
        """Call an action that answers, and return its answer."""
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
        """Wait until the start is over and every action is known."""

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
        """Open a set-up flow and return its first step."""
        return await self._flow(endpoint.path, {"handler": handler})

    async def go_on(self, endpoint: Endpoint, flow_id: str, answer: Fields) -> Flow:
        """Answer a step of a set-up flow and return the next one."""
        return await self._flow(f"{endpoint.path}/{flow_id}", answer)

    async def _flow(self, path: str, body: Fields) -> Flow:
        return cast("Flow", await _post(self._session, self._url + path, json=body))

    async def save_automation(self, key: str, config: Fields) -> None:
        """Store an automation, as its editor does."""
        path = f"{self._url}/api/config/automation/config/{key}"
        await _post(self._session, path, json=config)


async def until[T](
    attempt: Callable[[], Awaitable[T | None]], seconds: float, what: str
) -> T:
    """Try again and again until the attempt returns something, and return that.

    Raises HomeAssistantError with `what` never came to pass.
    """
    try:
        async with asyncio.timeout(seconds):
            while (found := await attempt()) is None:  # noqa: ASYNC110 - it is not ours to tell
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise HomeAssistantError(f"not within {seconds:.0f} s: {what}") from None
    return found


async def wait_until_it_answers(
    session: aiohttp.ClientSession, url: str, path: str = "/api/onboarding"
) -> None:
    """Wait until Home Assistant serves a path: a fresh one asks for its first user."""

    async def asks() -> bool | None:
        try:
            async with session.get(f"{url}{path}") as response:
                return response.ok or None
        except aiohttp.ClientError:
            return None

    await until(asks, START_SECONDS, "Home Assistant answers")


async def _post(
    session: aiohttp.ClientSession,
    url: str,
    *,
    json: Fields | None = None,
    data: Mapping[str, str] | None = None,
) -> object:
    """Post and return the JSON answer."""
    async with session.post(url, json=json, data=data) as response:
        if not response.ok:
            text = await response.text()
            raise HomeAssistantError(f"POST {response.url.path}: {text}")
        return cast("object", await response.json())
