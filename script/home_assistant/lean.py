"""An instance that starts in seconds, with an account at every provider."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
import json
from pathlib import Path
from typing import cast, override

import aiohttp

from simulator import PROVIDERS, Simulator

from . import accounts, configuration
from .client import START_SECONDS, Client, Fields, wait_until_served
from .instance import Instance
from .loop_meter import BEGIN, END, RESULT_FILE, SlowCallback
from .process import Process
from .waiting import HomeAssistantError, until

RESULT_SECONDS = 60
LEDGER = Path(".storage") / "sms_italia.db"
_ESCALATION = "Catena"
_ESCALATION_ENTITY = "notify.catena"

_CONFIGURATION = """\
api:
config:
onboarding:
websocket_api:
logger:
  default: warning
  logs:
    custom_components.sms_italia: info
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of sms_italia.send_sms to one call; no `messages` if it refused."""

    status: int
    messages: Sequence[Mapping[str, object]] | None


class LeanInstance(Instance):
    """An instance without the frontend; `accounts` are entry ids by provider."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        """Use a folder, and a session that `prepare` authorises for good."""
        super().__init__(folder)
        self._session = session
        self.accounts: dict[str, str] = {}

    @property
    def ledger(self) -> Path:
        """The ledger's main file."""
        return self.folder / LEDGER

    @override
    def _arguments(self) -> Sequence[str]:
        return [
            "-m",
            "script.home_assistant.lean_start",
            "--config",
            str(self.folder),
            "--log-no-color",
            "--skip-pip",
        ]

    @override
    def _environment(self) -> Mapping[str, str]:
        return {RESULT_FILE: str(self._loop_result)}

    @property
    def _loop_result(self) -> Path:
        return self.folder / "loop_result.json"

    async def prepare(
        self, simulator: Simulator, external_url: str | None = None
    ) -> None:
        """Make the folder, with an account at every provider, all with much credit.

        And with an escalation of all recipients.

        `external_url` is where providers could call back.
        """
        for provider in PROVIDERS:
            simulator.set_credit(provider, 1_000_000)
        self.create()
        configuration.write(self.folder, _CONFIGURATION)
        async with self.run() as process:
            await wait_until_served(self._session, self.url)
            client = await Client.onboard(self._session, self.url)
            await client.wait_until_running()
            if external_url is not None:
                await client.command("config/core/update", external_url=external_url)
            # A token that is still valid after a restart.
            token = await client.command(
                "auth/long_lived_access_token", client_name="script", lifespan=1
            )
            self._session.headers["Authorization"] = f"Bearer {token}"
            members = []
            for provider in PROVIDERS:
                account = await accounts.create(client, simulator, provider)
                members.append(account.entities.notify)
                self.accounts[provider] = account.entry_id
                # What is measured is each alarm, not how many are too much.
                await accounts.change_options(
                    client,
                    account.entry_id,
                    limits={"daily_limit": 0},
                    reliability={"bundle_after": 0},
                )
            await accounts.create_escalation(
                client, account.entry_id, _ESCALATION, members
            )
            await process.stop()

    async def wait_until_running(self, process: Process) -> None:
        """Wait until the start is over. Raises HomeAssistantError."""

        async def runs() -> bool | None:
            if process.returncode is not None:
                raise HomeAssistantError("Home Assistant ended by itself")
            try:
                async with self._session.get(f"{self.url}/api/config") as response:
                    config = cast("Fields", await response.json())
            except aiohttp.ClientError:
                return None
            return config.get("state") == "RUNNING" or None

        await until(runs, START_SECONDS, "Home Assistant runs")

    def begin_to_measure(self, process: Process) -> None:
        """Measure how long callbacks hold the process's event loop, from now on."""
        self._loop_result.unlink(missing_ok=True)
        process.signal(BEGIN)

    async def measured(self, process: Process) -> Sequence[SlowCallback]:
        """Return the slowest callbacks since `begin_to_measure`, the slowest first.

        Raises HomeAssistantError.
        """
        process.signal(END)

        async def written() -> Sequence[SlowCallback] | None:
            try:
                text = await asyncio.to_thread(self._loop_result.read_text)
                return cast("Sequence[SlowCallback]", json.loads(text))
            except FileNotFoundError, ValueError:
                return None

        return await until(written, RESULT_SECONDS, "the result is written")

    async def post(self, path: str, body: bytes) -> int:
        """Post to a path, as a provider does; return the HTTP status."""
        async with self._session.post(f"{self.url}{path}", data=body) as response:
            return response.status

    async def reload(self, provider: str) -> None:
        """Reload an account, as the user may; the process may be killed meanwhile."""
        with suppress(aiohttp.ClientError):
            async with self._session.post(
                f"{self.url}/api/services/homeassistant/reload_config_entry",
                json={"entry_id": self.accounts[provider]},
            ) as response:
                response.raise_for_status()

    async def alarm(self, text: str) -> bool:
        """Send a text to the escalation; return whether that was answered."""
        return await self._act(
            "notify/send_message", entity_id=_ESCALATION_ENTITY, message=text
        )

    async def acknowledge(self) -> bool:
        """Acknowledge the escalation; return whether that was answered."""
        return await self._act("sms_italia/acknowledge", entity_id=_ESCALATION_ENTITY)

    async def _act(self, action: str, **data: str) -> bool:
        """Call an action; return whether it did what it was asked for."""
        with suppress(aiohttp.ClientError):
            async with self._session.post(
                f"{self.url}/api/services/{action}", json=data
            ) as response:
                return response.status == HTTPStatus.OK
        return False

    async def send(
        self, provider: str, numbers: Sequence[str], text: str
    ) -> Answer | None:
        """Call sms_italia.send_sms; None if the connection broke before the answer."""
        try:
            async with self._session.post(
                f"{self.url}/api/services/sms_italia/send_sms?return_response",
                json={
                    "config_entry_id": self.accounts[provider],
                    "numbers": list(numbers),
                    "message": text,
                },
            ) as response:
                if response.status != HTTPStatus.OK:
                    return Answer(status=response.status, messages=None)
                body = cast("Fields", await response.json())
        except aiohttp.ClientError:
            return None
        answer = cast("Fields", body["service_response"])
        return Answer(
            status=HTTPStatus.OK,
            messages=cast("Sequence[Mapping[str, object]]", answer["messages"]),
        )
