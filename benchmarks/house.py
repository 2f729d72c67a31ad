"""The measured Home Assistant: the lean one, with its peers and what takes times."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
import json
from pathlib import Path
import shutil
from typing import Self, cast

import aiohttp

from custom_components.sms_italia.providers.registry import PROVIDERS
from script.development.home_assistant import HomeAssistantError
from script.development.processes import free_port
from script.lean.instance import Instance, Process
from simulator import Operation, Simulator

from .contenders import Contender

MEASURED_PROVIDER = "smsviainternet"
"""Whose requests all contenders make."""

REACHABLE = "https://casa.example"
"""As where providers can call: then they are not asked in the first minute."""

_MEASURED = Path(__file__).parent / "measured"

_PEERS = """\
webhook:
measured:
  url: {url}
  entry: {entry}
  headers:
    X-Api-Token: {token}
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
    """Return the name of a provider as it writes it."""
    return PROVIDERS[provider].name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A text that was sent alone, with the seconds from the call of its action.

    `arrived` is when the provider had the whole request, None where none is made;
    `took` is when the action had its answer.
    """

    contender: Contender
    arrived: float | None
    took: float


class House(Instance):
    """A configuration folder that can be measured while it is `live`."""

    def __init__(
        self,
        place: Path,
        port: int,
        session: aiohttp.ClientSession,
        simulator: Simulator,
    ) -> None:
        """Use a folder, a port, a session and the providers."""
        super().__init__(place, port, session)
        self._simulator = simulator
        self._turn = 0

    @classmethod
    async def build(
        cls, place: Path, session: aiohttp.ClientSession, simulator: Simulator
    ) -> Self:
        """Make the folder, with an account at every provider and with the peers."""
        house = cls(place, free_port(), session, simulator)
        await house.prepare(simulator, external_url=REACHABLE)
        components = place / "custom_components"
        (components / _MEASURED.name).symlink_to(_MEASURED)
        # Else the repository's own package of this name would be the one.
        (components / "__init__.py").touch()
        with (place / "configuration.yaml").open("a", encoding="utf-8") as file:
            file.write(
                _PEERS.format(
                    url=f"{simulator.url(MEASURED_PROVIDER)}/api/rest/v1/sms.json",
                    token=simulator.account(MEASURED_PROVIDER).credentials["api_token"],
                    entry=house.accounts[MEASURED_PROVIDER],
                )
            )
        return house

    def copy(self, place: Path) -> Self:
        """Return another house like this one, which must not run meanwhile."""
        shutil.copytree(self._place, place, symlinks=True)
        house = type(self)(place, free_port(), self._session, self._simulator)
        house.accounts = dict(self.accounts)
        http = place / ".storage" / "http"
        stored = json.loads(http.read_text("utf-8"))
        stored["data"]["stable"]["server_port"] = house._port  # noqa: SLF001 - one of us
        http.write_text(json.dumps(stored), "utf-8")
        return house

    def clear_ledger(self) -> None:
        """Begin with an empty ledger; it must not run meanwhile."""
        for file in self.ledger.parent.glob(f"{self.ledger.name}*"):
            file.unlink()

    @asynccontextmanager
    async def live(self) -> AsyncIterator[Process]:
        """Run until the context ends."""
        async with self.process() as process:
            await self.wait_until_running(process)
            yield process
            await process.stop()

    @asynccontextmanager
    async def live_anew(self) -> AsyncIterator[Process]:
        """Run with an empty ledger until the context ends."""
        self.clear_ledger()
        async with self.live() as process:
            yield process

    async def ask(self, action: str, **data: object) -> Mapping[str, object]:
        """Do a measurement and return what it answers. Raises HomeAssistantError."""
        async with self._session.post(
            f"{self._url}/api/services/measured/{action}?return_response", json=data
        ) as response:
            if response.status != HTTPStatus.OK:
                raise HomeAssistantError(f"{action}: {await response.text()}")
            body = await response.json()
        return cast("Mapping[str, object]", body["service_response"])

    async def took(self, action: str, **data: object) -> float:
        """Do a measurement and return the seconds that it took."""
        return cast("float", (await self.ask(action, **data))["took"])

    async def one_by_one(
        self, contenders: Sequence[Contender], count: int
    ) -> list[Sent]:
        """Let contenders send so many texts each, in turns, one at a time."""
        answer = await self.ask(
            "one_by_one", contenders=contenders, count=count, first=self._take(count)
        )
        arrivals = {
            request.fields.get("text"): request.received.timestamp()
            for request in self._simulator.requests.of(MEASURED_PROVIDER)
            if request.operation is Operation.SEND
        }
        sent: list[Sent] = []
        for one in cast("list[Mapping[str, str | float]]", answer["sent"]):
            contender = Contender(str(one["contender"]))
            sent.append(
                Sent(
                    contender=contender,
                    arrived=arrivals[one["text"]] - float(one["at"])
                    if contender.sends
                    else None,
                    took=float(one["took"]),
                )
            )
        return sent

    async def at_once(self, contender: Contender, count: int) -> float:
        """Let a contender send many texts at the same time; return the seconds."""
        return await self.took(
            "at_once", contender=contender, count=count, first=self._take(count)
        )

    async def in_one_call(self, provider: str, count: int) -> float:
        """Send a text to many numbers by one call; return the seconds it took.

        Raises HomeAssistantError unless the provider took them all.
        """
        answer = await self.ask(
            "in_one_call",
            entry=self.accounts[provider],
            count=count,
            first=self._take(count),
        )
        if answer["taken"] != count:
            raise HomeAssistantError(f"{provider} took {answer['taken']} of {count}")
        return cast("float", answer["took"])

    async def weigh_answer(self) -> int:
        """Return the bytes of the answer to the last such call."""
        return cast("int", (await self.ask("weigh"))["size"])

    def _take(self, count: int) -> int:
        """Return the first of some texts that were never sent before."""
        first = self._turn
        self._turn = first + count
        return first
