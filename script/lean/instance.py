"""One Home Assistant on one folder: made once, started again and again."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
import json
import os
from pathlib import Path
import signal
import sys
from typing import cast

import aiohttp

from script.development import accounts as development_accounts, folder
from script.development.home_assistant import (
    START_SECONDS,
    Endpoint,
    Fields,
    HomeAssistant,
    HomeAssistantError,
    until,
    wait_until_it_answers,
)
from simulator import PROVIDERS, Simulator

from .meter import BEGIN, END, FIGURES_FILE, Figures

STOP_SECONDS = 60
FIGURES_SECONDS = 60
LEDGER = Path(".storage") / "sms_italia.db"

_FIGURES = "loop_figures.json"
_OPTIONS = Endpoint(path="/api/config/config_entries/options/flow")
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


class Process:
    """A Home Assistant that runs; it can be killed, and ends with its context."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Hold the process."""
        self._process = process

    async def kill(self) -> None:
        """End it by SIGKILL: no handler of it runs, nothing is written any more."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """End it politely. Raises HomeAssistantError if it does not."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            raise HomeAssistantError("Home Assistant does not stop") from None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        """Its number in the system."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it does not run any more."""
        return self._process.returncode is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the action answered to one call; None in `messages` if it refused."""

    status: int
    messages: Sequence[Mapping[str, object]] | None


class Instance:
    """A configuration folder with four accounts, and how to speak to it."""

    def __init__(self, place: Path, port: int, session: aiohttp.ClientSession) -> None:
        """Use a folder, a port, and a session that will be authorised."""
        self._place = place
        self._url = f"http://127.0.0.1:{port}"
        self._port = port
        self._session = session
        self.accounts: dict[str, str] = {}

    @property
    def ledger(self) -> Path:
        """The ledger's main file."""
        return self._place / LEDGER

    @property
    def log(self) -> Path:
        """All that the processes printed, one after the other."""
        return self._place / folder.LOG_FILE

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Process]:
        """Start Home Assistant; it is killed at the end if it still runs."""
        with self.log.open("ab") as log:
            process = Process(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "script.lean.launch",
                    "--config",
                    str(self._place),
                    "--log-no-color",
                    "--skip-pip",
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, FIGURES_FILE: str(self._place / _FIGURES)},
                )
            )
        try:
            yield process
        finally:
            await process.kill()

    async def prepare(
        self, simulator: Simulator, external_url: str | None = None
    ) -> None:
        """Make the folder anew, with an account at every provider, and rich ones.

        `external_url` is where providers could call, if they were to.
        """
        for provider in PROVIDERS:
            simulator.set_credit(provider, 1_000_000)
        folder.make(self._place, self._port)
        configuration = self._place / "configuration.yaml"
        configuration.write_text(_CONFIGURATION, "utf-8")
        async with self.process() as process:
            await wait_until_it_answers(self._session, self._url)
            home_assistant = await HomeAssistant.onboard(self._session, self._url)
            await home_assistant.wait_until_running()
            if external_url is not None:
                await home_assistant.command(
                    "config/core/update", external_url=external_url
                )
            # One that lasts, and is on disk like everything else after a stop.
            token = await home_assistant.command(
                "auth/long_lived_access_token", client_name="script", lifespan=1
            )
            self._session.headers["Authorization"] = f"Bearer {token}"
            for provider in PROVIDERS:
                account = await development_accounts.make(
                    home_assistant, simulator, provider
                )
                self.accounts[provider] = account.entry_id
                await _lift_limit(home_assistant, account.entry_id)
            await process.stop()

    async def wait_until_running(self, process: Process) -> None:
        """Wait until the start is over. Raises HomeAssistantError."""

        async def runs() -> bool | None:
            if process.has_ended:
                raise HomeAssistantError("Home Assistant ended by itself")
            try:
                async with self._session.get(f"{self._url}/api/config") as response:
                    config = cast("Fields", await response.json())
            except aiohttp.ClientError:
                return None
            return config.get("state") == "RUNNING" or None

        await until(runs, START_SECONDS, "Home Assistant runs")

    def begin_to_measure(self, process: Process) -> None:
        """Have the process measure how long its event loop is held, from now on."""
        (self._place / _FIGURES).unlink(missing_ok=True)
        process.signal(BEGIN)

    async def measured(self, process: Process) -> Figures:
        """Return what was measured since the beginning. Raises HomeAssistantError."""
        process.signal(END)

        async def written() -> Figures | None:
            try:
                text = await asyncio.to_thread((self._place / _FIGURES).read_text)
                return cast("Figures", json.loads(text))
            except FileNotFoundError, ValueError:
                return None

        return await until(written, FIGURES_SECONDS, "the figures are written")

    async def post(self, path: str, body: bytes) -> int:
        """Post to a path, as a provider does; return the HTTP status."""
        async with self._session.post(f"{self._url}{path}", data=body) as response:
            return response.status

    async def send(
        self, provider: str, numbers: Sequence[str], text: str
    ) -> Answer | None:
        """Call sms_italia.send_sms; None if the connection broke before an answer."""
        try:
            async with self._session.post(
                f"{self._url}/api/services/sms_italia/send_sms?return_response",
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


async def _lift_limit(home_assistant: HomeAssistant, entry_id: str) -> None:
    """Let an account send as much as it likes."""
    flow = await home_assistant.start_flow(_OPTIONS, entry_id)
    form = cast("list[Fields]", cast("Fields", flow)["data_schema"])
    answer: dict[str, Fields] = {str(section["name"]): {} for section in form}
    answer["limits"] = {"daily_limit": 0}
    result = await home_assistant.go_on(_OPTIONS, flow["flow_id"], answer)
    if result["type"] != "create_entry":
        raise HomeAssistantError(f"the options: {result}")
