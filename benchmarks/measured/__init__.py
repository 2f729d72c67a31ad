"""The integration that takes the measurements inside of Home Assistant.

Each action takes one measurement and returns it in seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
import gc
from itertools import cycle
from pathlib import Path
import sys
import time
from types import MappingProxyType
import uuid

from homeassistant.components.notify import DOMAIN as NOTIFY
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import (
    Event,
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
)
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.typing import ConfigType, VolDictType
from homeassistant.util.json import JsonObjectType, JsonValueType
import voluptuous as vol

from benchmarks.contenders import (
    RECIPIENTS,
    TEXT,
    TURN,
    UNCOUNTED,
    Contender,
    number,
)
from custom_components.sms_italia.messaging import Account
from custom_components.sms_italia.providers import (
    Accepted,
    Encoding,
    Submission,
)

from .careful import Notes

DOMAIN = "measured"
OURS = "sms_italia"

_RECIPIENTS = 100
"""Of the account, when many alerts go to them at once."""

_AT_ONCE = 32
"""Requests to one account at the same time, like ours."""

type _Action = Callable[[ServiceCall], Coroutine[None, None, ServiceResponse]]

type _Way = Callable[[str, str], Awaitable[object]]
"""Sends a text (the second) to a number (the first)."""

_CONTENDER = vol.Coerce(Contender)
_ENTRIES = vol.All(cv.ensure_list, [cv.string])
_MESSAGE: VolDictType = {vol.Required("to"): str, vol.Required("text"): str}
_RANGE: VolDictType = {vol.Required("first"): int, vol.Required("count"): int}


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the measurements."""
    notes = await hass.async_add_executor_job(
        Notes, Path(hass.config.path("measured.db"))
    )

    async def close(_event: Event) -> None:
        await hass.async_add_executor_job(notes.close)

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, close)
    bench = _Bench(hass, config[DOMAIN], notes)
    fields: dict[_Action, VolDictType] = {
        bench.one_by_one: {vol.Required("contenders"): [_CONTENDER], **_RANGE},
        bench.at_once: {vol.Required("contender"): _CONTENDER, **_RANGE},
        bench.recipients: {vol.Required("count"): int},
        bench.in_one_call: {vol.Required("entry"): str, **_RANGE},
        bench.weigh: {},
        bench.set_up: {vol.Required("entries"): _ENTRIES},
        bench.find: {vol.Required("query"): dict},
        bench.multiply: {vol.Required("entry"): str, vol.Required("count"): int},
        bench.reach: {vol.Required("url"): vol.Any(str, None)},
        bench.tidy: {},
        bench.careful: _MESSAGE,
        bench.careful_together: _MESSAGE,
    }
    for action, schema in fields.items():
        hass.services.async_register(
            DOMAIN,
            getattr(action, "__name__", ""),
            action,
            schema=vol.Schema(schema),
            supports_response=SupportsResponse.ONLY,
        )
    return True


class _Bench:
    """The measurements of one running Home Assistant."""

    def __init__(self, hass: HomeAssistant, config: ConfigType, notes: Notes) -> None:
        """Send as the account that `config` names."""
        self._hass = hass
        self._entry: str = config["entry"]
        self._notes = notes
        self._answer: ServiceResponse = None
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._together: list[str] = []

    async def one_by_one(self, call: ServiceCall) -> ServiceResponse:
        """Have the contenders send in turns, one text after the other."""
        ways = [(one, self._way(one)) for one in call.data["contenders"]]
        sent: list[JsonValueType] = []
        for begin in _turns(call)[::TURN]:
            for contender, way in ways:
                for turn in range(UNCOUNTED):
                    await way(number(turn), f"Prima: {contender} {begin} {turn}")
                sent += [
                    await _timed(contender, way, turn)
                    for turn in range(begin, begin + TURN)
                ]
        return {"sent": sent}

    async def at_once(self, call: ServiceCall) -> ServiceResponse:
        """Have one contender send many texts at the same time."""
        contender: Contender = call.data["contender"]
        if contender is Contender.OUR_ENTITY:
            await self._add_recipients()
        way = self._way(contender)
        begin = time.perf_counter()
        await asyncio.gather(
            *(
                way(number(turn), TEXT.format(contender=contender, turn=turn))
                for turn in _turns(call)
            )
        )
        return {"took": time.perf_counter() - begin}

    async def recipients(self, call: ServiceCall) -> ServiceResponse:
        """Send to one recipient, and to several by one action, in turns.

        Returns the seconds that each took.
        """
        await self._add_recipients()
        entities = self._recipients()
        took: dict[int, list[JsonValueType]] = {1: [], RECIPIENTS: []}
        for turn in range(call.data["count"]):
            for count, seconds in took.items():
                data = {"entity_id": entities[:count], "message": f"{turn} {count}"}
                begin = time.perf_counter()
                await self._hass.services.async_call(
                    NOTIFY, "send_message", data, blocking=True
                )
                seconds.append(time.perf_counter() - begin)
        return {"one": took[1], "several": took[RECIPIENTS]}

    async def in_one_call(self, call: ServiceCall) -> ServiceResponse:
        """Send one text to many numbers in one call.

        Returns how many were accepted; the answer is kept for `weigh`.
        """
        turns = _turns(call)
        data = {
            "config_entry_id": call.data["entry"],
            "numbers": [number(turn) for turn in turns],
            "message": TEXT.format(contender="in_one_call", turn=turns.start),
        }
        begin = time.perf_counter()
        answer = await self._hass.services.async_call(
            OURS, "send_sms", data, blocking=True, return_response=True
        )
        took = time.perf_counter() - begin
        messages = (answer or {})["messages"]
        accepted = sum(
            isinstance(one, dict) and one["status"] in {"queued", "sent", "delivered"}
            for one in (messages if isinstance(messages, list) else [])
        )
        self._answer = answer
        return {"took": took, "accepted": accepted}

    async def weigh(self, _call: ServiceCall) -> ServiceResponse:
        """Return the bytes of the answer that was kept last, and drop it."""
        answer, self._answer = self._answer, None
        return {"size": await self._hass.async_add_executor_job(_size, answer, set())}

    async def set_up(self, call: ServiceCall) -> ServiceResponse:
        """Unload all accounts, then set some of them up at the same time."""
        manager = self._hass.config_entries
        for entry in manager.async_loaded_entries(OURS):
            await manager.async_unload(entry.entry_id)
        await self._hass.async_block_till_done()
        begin = time.perf_counter()
        await asyncio.gather(*map(manager.async_setup, call.data["entries"]))
        return {"took": time.perf_counter() - begin}

    async def find(self, call: ServiceCall) -> ServiceResponse:
        """Search the ledger; return how many messages were found."""
        begin = time.perf_counter()
        answer = await self._hass.services.async_call(
            OURS,
            "find_messages",
            call.data["query"],
            blocking=True,
            return_response=True,
        )
        return {"took": time.perf_counter() - begin, "total": (answer or {})["total"]}

    async def multiply(self, call: ServiceCall) -> ServiceResponse:
        """Add copies of an account with its recipients; return their ids."""
        manager = self._hass.config_entries
        like = manager.async_get_known_entry(call.data["entry"])
        made: list[JsonValueType] = []
        for index in range(call.data["count"]):
            entry = ConfigEntry(
                data=like.data | {"webhook_id": uuid.uuid4().hex},
                discovery_keys=MappingProxyType({}),
                domain=like.domain,
                minor_version=like.minor_version,
                options=like.options,
                source=like.source,
                subentries_data=[
                    {
                        "data": one.data,
                        "subentry_type": one.subentry_type,
                        "title": one.title,
                        "unique_id": one.unique_id,
                    }
                    for one in like.subentries.values()
                ],
                title=f"{like.title} {index}",
                unique_id=f"{like.unique_id}_{index}",
                version=like.version,
            )
            await manager.async_add(entry)
            made.append(entry.entry_id)
        return {"entries": made}

    async def reach(self, call: ServiceCall) -> ServiceResponse:
        """Change the external URL, to which providers call back."""
        await self._hass.config.async_update(external_url=call.data["url"])
        return {}

    async def tidy(self, _call: ServiceCall) -> ServiceResponse:
        """Finish pending work and free unused memory.

        The garbage collector ignores from then on what is in use: a pass over all of
        Home Assistant would disturb a measurement.
        """
        await self._hass.async_block_till_done()
        gc.collect()
        gc.freeze()
        return {}

    def _way(self, contender: Contender) -> _Way:
        """Return how a contender sends."""
        match contender:
            case Contender.CAREFUL:
                way = self._careful("careful")
            case Contender.CAREFUL_ONE_TEXT:
                way = _with_one_text(self._careful("careful_together"))
            case Contender.REST_COMMAND:
                way = self._action(
                    "rest_command", "sms", lambda to, text: {"to": to, "text": text}
                )
            case Contender.REST_NOTIFY:
                way = self._action(
                    NOTIFY, "rest", lambda to, text: {"target": to, "message": text}
                )
            case Contender.OUR_ACTION:
                way = self._our_action
            case Contender.OUR_ENTITY:
                way = self._our_entities()
            case Contender.OUR_ACTION_ONE_TEXT:
                way = _with_one_text(self._our_action)
        return way

    async def _add_recipients(self) -> None:
        """Add recipients to the account: messages to one leave one after another."""
        manager = self._hass.config_entries
        entry = manager.async_get_known_entry(self._entry)
        for index in range(len(entry.subentries), _RECIPIENTS):
            subentry = ConfigSubentry(
                data=MappingProxyType({"numbers": [f"+39333{index:07}"]}),
                subentry_type="recipient",
                title=f"Recipient {index}",
                unique_id=None,
            )
            manager.async_add_subentry(entry, subentry)
        await self._hass.async_block_till_done()

    def _our_entities(self) -> _Way:
        """Return how to send to the account's recipients in turns."""
        ways = cycle([self._entity(one) for one in self._recipients()])

        def send(to: str, text: str) -> Awaitable[object]:
            return next(ways)(to, text)

        return send

    def _recipients(self) -> list[str]:
        """Return the notify entities of the account."""
        registry = er.async_get(self._hass)
        return [
            one.entity_id
            for one in er.async_entries_for_config_entry(registry, self._entry)
            if one.domain == NOTIFY
        ]

    async def careful(self, call: ServiceCall) -> ServiceResponse:
        """Send a text with the least work that neither loses nor repeats it."""
        to, text = call.data["to"], call.data["text"]
        await self._notes.write(f"{to} {text}")
        async with self._gate:
            await self._submit([to], text)
        self._notes.write_later(f"{to} sent")
        return {"to": to}

    async def careful_together(self, call: ServiceCall) -> ServiceResponse:
        """Do the same, with one request for all calls of one turn of the event loop."""
        to, text = call.data["to"], call.data["text"]
        if not self._together:
            self._request = asyncio.create_task(self._submit_together(text))
        self._together.append(to)
        await self._request
        self._notes.write_later(f"{to} sent")
        return {"to": to}

    async def _submit_together(self, text: str) -> None:
        numbers, self._together = self._together, []
        await asyncio.gather(*(self._notes.write(f"{to} {text}") for to in numbers))
        await self._submit(numbers, text)

    async def _submit(self, numbers: Sequence[str], text: str) -> None:
        """Have our client make one request. Raises TypeError unless it is accepted."""
        entry = self._hass.config_entries.async_get_known_entry(self._entry)
        account: Account = entry.runtime_data.account
        reference = f"{numbers[0]} {text}"
        result = await account.client.send(
            Submission(
                reference=reference,
                recipients=tuple(numbers),
                text=text,
                encoding=Encoding.GSM7,
                sender=account.sender,
                callback_url=account.callback_url(reference),
            )
        )
        for outcome in result.outcomes.values():
            if not isinstance(outcome, Accepted):
                raise TypeError(outcome)

    def _careful(self, name: str) -> _Way:
        """Return how to send by one of the two actions that do the least."""

        def send(to: str, text: str) -> Awaitable[object]:
            return self._hass.services.async_call(
                DOMAIN,
                name,
                {"to": to, "text": text},
                blocking=True,
                return_response=True,
            )

        return send

    def _action(
        self, domain: str, name: str, data: Callable[[str, str], JsonObjectType]
    ) -> _Way:
        def send(to: str, text: str) -> Awaitable[object]:
            return self._hass.services.async_call(
                domain, name, data(to, text), blocking=True
            )

        return send

    def _entity(self, entity_id: str) -> _Way:
        return self._action(
            NOTIFY,
            "send_message",
            lambda _to, text: {"entity_id": entity_id, "message": text},
        )

    def _our_action(self, to: str, text: str) -> Awaitable[object]:
        return self._hass.services.async_call(
            OURS,
            "send_sms",
            {"config_entry_id": self._entry, "numbers": [to], "message": text},
            blocking=True,
            return_response=True,
        )


def _with_one_text(way: _Way) -> _Way:
    """Return how to send what the texts of all turns begin with."""

    def send(to: str, text: str) -> Awaitable[object]:
        return way(to, text.rpartition(" ")[0])

    return send


def _size(value: object, seen: set[int]) -> int:
    """Return the bytes of a value and of what is in it, each counted once."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    size = sys.getsizeof(value)
    match value:
        case dict():
            return size + sum(
                _size(one, seen) for pair in value.items() for one in pair
            )
        case list():
            return size + sum(_size(one, seen) for one in value)
        case _:
            return size


def _turns(call: ServiceCall) -> range:
    """Return the numbers of the texts that a call asks for."""
    first: int = call.data["first"]
    return range(first, first + call.data["count"])


async def _timed(contender: Contender, way: _Way, turn: int) -> JsonObjectType:
    """Send one text, and return when and how long it took."""
    text = TEXT.format(contender=contender, turn=turn)
    at, begin = time.time(), time.perf_counter()
    await way(number(turn), text)
    took = time.perf_counter() - begin
    return {"contender": contender, "text": text, "at": at, "took": took}
