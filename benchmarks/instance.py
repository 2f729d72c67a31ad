"""The measured instance: a lean one with the peers and the integration `measured`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
import json
from pathlib import Path
import shutil
from typing import Self, cast, override

import aiohttp

from custom_components.sms_italia.providers import PROVIDERS
from script.home_assistant.lean import LeanInstance
from script.home_assistant.process import Process
from script.home_assistant.waiting import HomeAssistantError
from simulator import Operation, Simulator

from .contenders import Contender

MEASURED_PROVIDER = "smsviainternet"
"""The provider that all contenders send to."""

REACHABLE = "https://casa.example"
"""An external URL: with callbacks, status is not asked for in the first minute."""

_MEASURED = Path(__file__).parent / "measured"

_PEERS = """\
webhook:
measured:
  entry: {entry}
rest_command:
  sms:
    url: {url}
    method: post
    content_type: application/json
    headers:
      X-Api-Token: {token}
    payload: '{{{{ {{"numbers": to, "text": text}} | to_json }}}}'
notify:
  - platform: rest
    name: rest
    resource: {url}
    method: POST_JSON
    message_param_name: text
    target_param_name: numbers
    headers:
      X-Api-Token: {token}
"""


def title(provider: str) -> str:
    """Return the name of a provider."""
    return PROVIDERS[provider].name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A text that was sent alone, in seconds from the call of its action.

    `arrived` is when the provider had the whole request, `took` is when the action had
    its answer.
    """

    contender: Contender
    arrived: float
    took: float


class Connections(StrEnum):
    """What a provider does with a connection on which it has answered."""

    NEW = "new"
    """It closes it: each request has a new one."""
    KEPT = "kept"


class MeasuredInstance(LeanInstance):
    """An instance with the actions that take measurements.

    `environment` is what its next process has in its environment beside our own.
    """

    def __init__(
        self,
        folder: Path,
        session: aiohttp.ClientSession,
        simulator: Simulator,
        environment: Mapping[str, str],
    ) -> None:
        """Use a folder, a session and the providers."""
        super().__init__(folder, session)
        self.environment = dict(environment)
        self._simulator = simulator
        self._turn = 0

    @override
    def _environment(self) -> Mapping[str, str]:
        return {**super()._environment(), **self.environment}

    @classmethod
    async def build(
        cls,
        folder: Path,
        session: aiohttp.ClientSession,
        simulator: Simulator,
        certificate: Path,
    ) -> Self:
        """Make the folder, with an account at every provider and with the peers.

        They trust the `certificate` of the providers.
        """
        trust = {"REQUESTS_CA_BUNDLE": str(certificate)}
        instance = cls(folder, session, simulator, trust)
        await instance.prepare(simulator, external_url=REACHABLE)
        components = folder / "custom_components"
        (components / _MEASURED.name).symlink_to(_MEASURED)
        # Without it, Python would take the repository's own package of this name.
        (components / "__init__.py").touch()
        with (folder / "configuration.yaml").open("a", encoding="utf-8") as file:
            file.write(
                _PEERS.format(
                    url=f"{simulator.url(MEASURED_PROVIDER)}/api/rest/v1/sms.json",
                    token=simulator.account(MEASURED_PROVIDER).credentials["api_token"],
                    entry=instance.accounts[MEASURED_PROVIDER],
                )
            )
        return instance

    def copy(self, folder: Path) -> Self:
        """Return a copy of this instance, which must not run meanwhile."""
        shutil.copytree(self.folder, folder, symlinks=True)
        instance = type(self)(folder, self._session, self._simulator, self.environment)
        instance.accounts = dict(self.accounts)
        http = folder / ".storage" / "http"
        stored = json.loads(http.read_text("utf-8"))
        stored["data"]["stable"]["server_port"] = instance.port
        http.write_text(json.dumps(stored), "utf-8")
        return instance

    def clear_ledger(self) -> None:
        """Delete the ledger; the instance must not run meanwhile."""
        for file in self.ledger.parent.glob(f"{self.ledger.name}*"):
            file.unlink()

    @asynccontextmanager
    async def run_measured(self) -> AsyncIterator[Process]:
        """Run until the context ends. Raises HomeAssistantError if it does not stop."""
        async with self.run() as process:
            await self.wait_until_running(process)
            yield process
            await process.stop()

    @asynccontextmanager
    async def run_with_empty_ledger(self) -> AsyncIterator[Process]:
        """Run with an empty ledger until the context ends."""
        self.clear_ledger()
        async with self.run_measured() as process:
            yield process

    async def call(self, action: str, **data: object) -> Mapping[str, object]:
        """Call an action of `measured` and return its response.

        Raises HomeAssistantError.
        """
        async with self._session.post(
            f"{self.url}/api/services/measured/{action}?return_response", json=data
        ) as response:
            if response.status != HTTPStatus.OK:
                raise HomeAssistantError(f"{action}: {await response.text()}")
            body = await response.json()
        return cast("Mapping[str, object]", body["service_response"])

    async def seconds(self, action: str, **data: object) -> float:
        """Call an action of `measured` and return the seconds that it took."""
        return cast("float", (await self.call(action, **data))["took"])

    async def one_by_one(
        self,
        contenders: Sequence[Contender],
        count: int,
        *,
        connections: Connections = Connections.NEW,
    ) -> list[Sent]:
        """Have contenders send `count` texts each, in turns, one at a time."""
        are_kept = connections is Connections.KEPT
        self._simulator.keep_connections(are_kept=are_kept)
        answer = await self.call(
            "one_by_one", contenders=contenders, count=count, first=self._first(count)
        )
        self._simulator.keep_connections(are_kept=True)
        arrivals = {
            request.fields.get("text"): request.received.timestamp()
            for request in self._simulator.requests.of(MEASURED_PROVIDER)
            if request.operation is Operation.SEND
        }
        return [
            Sent(
                contender=Contender(str(one["contender"])),
                arrived=arrivals[one["text"]] - float(one["at"]),
                took=float(one["took"]),
            )
            for one in cast("list[Mapping[str, str | float]]", answer["sent"])
        ]

    async def to_recipients(self, count: int) -> Mapping[str, Sequence[float]]:
        """Send to `one` recipient and to `several` by one action, in turns.

        Returns the seconds of each. Raises HomeAssistantError unless each action was
        one request.
        """
        newest = max(
            (one.number for one in self._simulator.newest_requests(1)), default=0
        )
        self._simulator.keep_connections(are_kept=False)
        answer = await self.call("recipients", count=count)
        self._simulator.keep_connections(are_kept=True)
        made = self._requests(since=newest)
        if made != 2 * count:
            raise HomeAssistantError(f"{2 * count} actions made {made} requests")
        return cast("Mapping[str, Sequence[float]]", answer)

    def _requests(self, since: int) -> int:
        """Return how many sends came to the measured provider after a request."""
        requests = self._simulator.requests.of(MEASURED_PROVIDER)
        return sum(
            one.operation is Operation.SEND and one.number > since for one in requests
        )

    async def at_once(self, contender: Contender, count: int) -> float:
        """Have a contender send many texts at the same time; return the seconds."""
        return await self.seconds(
            "at_once", contender=contender, count=count, first=self._first(count)
        )

    async def in_one_call(self, provider: str, count: int) -> float:
        """Send a text to many numbers by one call; return the seconds it took.

        Raises HomeAssistantError unless the provider accepted them all.
        """
        answer = await self.call(
            "in_one_call",
            entry=self.accounts[provider],
            count=count,
            first=self._first(count),
        )
        if answer["accepted"] != count:
            raise HomeAssistantError(
                f"{provider} accepted {answer['accepted']} of {count}"
            )
        return cast("float", answer["took"])

    async def weigh_answer(self) -> int:
        """Return the bytes of the answer to the last such call."""
        return cast("int", (await self.call("weigh"))["size"])

    def _first(self, count: int) -> int:
        """Return the turn of the first of `count` texts that were never sent before."""
        first = self._turn
        self._turn = first + count
        return first
