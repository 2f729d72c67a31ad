"""The control API: what scripts and the page can see and change over HTTP.

GET /control/accounts, /control/messages, /control/requests, /control/callbacks: JSON
lists, newest first; `provider` narrows the last three, `limit` (default 500) bounds
them. GET /control/pictures/{id}: the picture of a message, whose `extra` has the id.
POST takes a JSON object and answers {"ok": true}, or 400 with {"error": ...}:

- /control/move {"id", "status", "word"?}
- /control/fault {"provider", "fault", "times"?, "operation"?}
- /control/clear_faults {}: those that have not happened yet, of all providers
- /control/credit {"provider", "euro"}
- /control/credentials {"provider", and what changes}
- /control/toggle {"provider", "toggle", "on"}
- /control/port {"provider", "open"}, of a provider with a port of its own
- /control/push_phones {"provider", "numbers"}: those that have the provider's app
- /control/reception {"provider", "number", "url"?, "key"?}: what receives SMS
- /control/write {"provider", "number", "text"}: an SMS to the account
- /control/process {}
- /control/reset {}

A POST needs the content type application/json, which no foreign web page can send.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from itertools import islice
import json

from aiohttp import web

from .addresses import is_digits
from .controls import Controls
from .faults import Fault
from .model import Callback, Json, Listing, Message, Operation, Request
from .ports import ProviderPorts

DEFAULT_LIMIT = 500

type _Body = dict[str, Json]


class ControlApi:
    """The HTTP API over the controls."""

    def __init__(
        self, controls: Controls, ports: ProviderPorts, url: Callable[[str], str]
    ) -> None:
        """Serve these controls and these ports; `url` is that of a provider."""
        self._controls = controls
        self._ports = ports
        self._url = url

    def add_routes(self, app: web.Application) -> None:
        """Serve the API under /control."""
        app.router.add_get("/control/accounts", self._accounts)
        app.router.add_get("/control/messages", self._messages)
        app.router.add_get("/control/requests", self._requests)
        app.router.add_get("/control/callbacks", self._callbacks)
        app.router.add_get("/control/pictures/{id}", self._picture)
        for name, action in (
            ("port", self._port),
            ("move", self._move),
            ("fault", self._fault),
            ("clear_faults", self._clear_faults),
            ("credit", self._credit),
            ("credentials", self._credentials),
            ("toggle", self._toggle),
            ("push_phones", self._push_phones),
            ("reception", self._reception),
            ("write", self._write),
            ("process", self._process),
            ("reset", self._reset),
        ):
            app.router.add_post(f"/control/{name}", _posted(action))

    async def _accounts(self, _request: web.Request) -> web.Response:
        """List what each provider has: address, credentials, credit, faults and more.

        `open` is null where there is no port of its own.
        """
        listed: list[Json] = []
        for provider in self._controls.provider_keys:
            account = self._controls.account(provider)
            listed.append(
                {
                    "provider": provider,
                    "url": self._url(provider),
                    "credentials": dict(account.credentials),
                    "credit": str(account.credit),
                    "price": str(account.price),
                    "open": (
                        provider in self._ports.opened
                        if provider in self._ports.numbers
                        else None
                    ),
                    "toggles": [str(toggle) for toggle in sorted(account.toggles)],
                    "faults": [
                        {
                            "fault": waiting.fault,
                            "times": waiting.times,
                            "operation": waiting.operation,
                        }
                        for waiting in self._controls.waiting_faults(provider)
                    ],
                }
            )
        words: dict[str, Json] = {
            "faults": list(Fault),
            "operations": list(Operation),
        }
        return web.json_response({"accounts": listed, "words": words})

    async def _messages(self, request: web.Request) -> web.Response:
        """List messages."""
        limit, provider = self._filter(request)
        if provider is None:
            found = self._controls.newest(limit)
        else:
            found = list(islice(reversed(self._controls.messages.of(provider)), limit))
        return web.json_response({"messages": [_message(item) for item in found]})

    async def _requests(self, request: web.Request) -> web.Response:
        """List requests."""
        limit, provider = self._filter(request)
        if provider is None:
            found = self._controls.newest_requests(limit)
        else:
            found = list(islice(reversed(self._controls.requests.of(provider)), limit))
        return web.json_response({"requests": [_request(item) for item in found]})

    async def _callbacks(self, request: web.Request) -> web.Response:
        """List the delivery reports that were pushed."""
        limit, provider = self._filter(request)
        listing = self._controls.callbacks
        chosen: Listing[Callback] = (
            listing if provider is None else listing.of(provider)
        )
        found = islice(reversed(chosen), limit)
        return web.json_response({"callbacks": [_callback(item) for item in found]})

    def _filter(self, request: web.Request) -> tuple[int, str | None]:
        """Return the limit and the provider of a list; 400 if they are not valid."""
        limit = request.query.get("limit", str(DEFAULT_LIMIT))
        provider = request.query.get("provider")
        if not is_digits(limit) or provider not in {
            None,
            *self._controls.provider_keys,
        }:
            raise web.HTTPBadRequest
        return int(limit), provider

    async def _picture(self, request: web.Request) -> web.Response:
        """Return the picture of a message."""
        picture = self._controls.picture(request.match_info["id"])
        if picture is None:
            raise web.HTTPNotFound
        return web.Response(
            body=picture.content,
            content_type=picture.content_type,
            headers={"X-Content-Type-Options": "nosniff"},
        )

    async def _port(self, body: _Body) -> None:
        """Open or close a port."""
        provider = _text(body, "provider")
        if body["open"] is True:
            await self._ports.open(provider)
        else:
            await self._ports.close(provider)

    def _move(self, body: _Body) -> None:
        """Move a message to a status."""
        word = body.get("word")
        self._controls.move(
            _text(body, "id"),
            _text(body, "status"),
            None if word is None else str(word),
        )

    def _fault(self, body: _Body) -> None:
        """Inject a fault."""
        times = body.get("times", 1)
        operation = body.get("operation") or None
        if not isinstance(times, int):
            raise TypeError("times")
        self._controls.inject(
            _text(body, "provider"),
            _text(body, "fault"),
            times,
            None if operation is None else str(operation),
        )

    def _credit(self, body: _Body) -> None:
        """Set a credit."""
        euro = Decimal(str(body["euro"]))
        if not euro.is_finite():
            raise ValueError("euro")
        self._controls.set_credit(_text(body, "provider"), euro)

    def _credentials(self, body: _Body) -> None:
        """Change credentials."""
        provider = _text(body, "provider")
        values = {name: _text(body, name) for name in body if name != "provider"}
        self._controls.set_credentials(provider, **values)

    def _push_phones(self, body: _Body) -> None:
        """Set the numbers that have the provider's app."""
        numbers = body["numbers"]
        if not isinstance(numbers, list):
            raise TypeError("numbers")
        found = [number for number in numbers if isinstance(number, str)]
        self._controls.set_push_phones(_text(body, "provider"), *found)

    def _reception(self, body: _Body) -> None:
        """Set the number that receives SMS."""
        url, key = body.get("url"), body.get("key")
        self._controls.set_reception(
            _text(body, "provider"),
            _text(body, "number"),
            url=str(url) if url else None,
            key=str(key) if key else None,
        )

    def _write(self, body: _Body) -> None:
        """Write an SMS to a provider's account."""
        self._controls.write(
            _text(body, "provider"), _text(body, "number"), _text(body, "text")
        )

    def _toggle(self, body: _Body) -> None:
        """Switch a behaviour on or off."""
        provider, toggle = _text(body, "provider"), _text(body, "toggle")
        if body["on"] is True:
            self._controls.switch_on(provider, toggle)
        else:
            self._controls.switch_off(provider, toggle)

    def _process(self, _body: _Body) -> None:
        """Carry out the sends that were deferred."""
        self._controls.process()

    def _clear_faults(self, _body: _Body) -> None:
        """Forget the faults that have not happened yet, and nothing else."""
        self._controls.clear_faults()

    def _reset(self, _body: _Body) -> None:
        """Forget everything received."""
        self._controls.reset()


def _posted(
    action: Callable[[_Body], Awaitable[None] | None],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return a handler that runs the action on the JSON object posted."""

    async def handle(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return web.json_response({"error": "content type"}, status=415)
        try:
            work = action(_object(await request.read()))
            if work is not None:
                await work
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"ok": True})

    return handle


def _object(body: bytes) -> _Body:
    """Return the body as a JSON object. Raises ValueError or TypeError."""
    value: Json = json.loads(body)
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _text(body: _Body, name: str) -> str:
    """Return a string of the body. Raises KeyError or TypeError."""
    value = body[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _message(message: Message) -> Json:
    """Return a message as JSON."""
    return {
        "id": message.id,
        "provider": message.provider,
        "provider_id": message.provider_id,
        "reference": message.reference,
        "to": message.to,
        "text": message.text,
        "sender": message.sender,
        "status": message.status,
        "channel": message.channel,
        "parts": message.parts,
        "cost": str(message.cost),
        "created": message.created.isoformat(),
        "changed": message.changed.isoformat(),
        "extra": dict(message.extra),
    }


def _request(request: Request) -> Json:
    """Return a request as JSON; of bodies, what is text."""
    return {
        "number": request.number,
        "provider": request.provider,
        "operation": request.operation,
        "received": request.received.isoformat(),
        "method": request.method,
        "path": request.path,
        "query": dict(request.query),
        "headers": dict(request.headers),
        "fields": dict(request.fields),
        "redirected": request.redirected,
        "fault": request.fault,
        "status": request.status,
        "answer": request.answer.decode("utf-8", "replace"),
    }


def _callback(callback: Callback) -> Json:
    """Return a delivery report as JSON."""
    return {
        "provider": callback.provider,
        "message_id": callback.message_id,
        "method": callback.method,
        "url": callback.url,
        "payload": dict(callback.payload),
        "attempt": callback.attempt,
        "status": callback.status,
    }
