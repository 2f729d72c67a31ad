"""The webhook: providers report delivery there, and what follows from a report."""

import ast
import asyncio
from collections.abc import AsyncGenerator, Callable
from enum import Enum
from functools import partial
from http import HTTPStatus
import importlib
import inspect
import json
import logging
from pathlib import Path
import sys
from types import ModuleType
from typing import Any

from aiohttp import ClientResponse
from hass_nabucasa import CloudError
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import (
    async_dispatcher_connect,
    async_dispatcher_send,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import slugify
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_cloud_connection_status,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)
from yarl import URL

from custom_components import sms_italia
from custom_components.sms_italia.const import (
    CONF_DELIVERY_REPORTS,
    CONF_FAILOVER_ON_FAILED_DELIVERY,
    CONF_FALLBACK,
    DOMAIN,
)
from custom_components.sms_italia.messaging import Timing
from custom_components.sms_italia.providers import PROVIDERS
from simulator import PROVIDERS as SIMULATED, Callback, Fault, Simulator

from .accounts import Accounts, arrived, until
from .line import Line
from .states import call
from .web import Server, start_server

ANNA = "+393331234567"
BRUNO = "+393409876543"
HOME = "https://casa.example"
CLOUD_HOOKS = "https://hooks.nuvola.example/"

CALLBACK_FIELDS = {
    key: provider.send_fields.callback
    for key, provider in SIMULATED.items()
    if provider.send_fields.callback is not None
}
"""Where a send asks for the delivery; not every provider has such a field."""

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)
EACH_THAT_TELLS = pytest.mark.parametrize("key", CALLBACK_FIELDS)
EACH_THAT_REPORTS = pytest.mark.parametrize("key", ["smshosting", "transactionale"])

MOST_BYTES = 64 * 1024
"""The longest body that is looked at."""

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
async def server(
    hass: HomeAssistant,
    simulator: Simulator,  # noqa: ARG001 - it lets sockets be opened
    hass_client_no_auth: ClientSessionGenerator,
) -> Server:
    """Return Home Assistant's web server; from outside it is at HOME."""
    for component in ("webhook", "websocket_api", NOTIFY_DOMAIN):
        # Their views must be there before the server is.
        assert await async_setup_component(hass, component, {})
    await hass.config.async_update(external_url=HOME)
    return await start_server(hass, hass_client_no_auth)


@pytest.fixture
async def line(simulator: Simulator) -> AsyncGenerator[Line]:
    """Return a line to the providers that can keep their answers back."""
    async with Line(simulator) as line:
        yield line


async def send(
    hass: HomeAssistant, account: MockConfigEntry, text: str = "Allarme"
) -> None:
    """Send to one number, and wait for what follows at once."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        slugify(account.title),
        {"message": text, "target": [ANNA]},
        blocking=True,
    )
    await hass.async_block_till_done(wait_background_tasks=True)


def sends(simulator: Simulator, key: str) -> list[dict[str, Any]]:
    """Return the fields of each send that came to a provider.

    Not those without a text, which are made to be refused: they prove the credentials.
    """
    return [
        dict(request.fields)
        for request in simulator.requests.of(key)
        if request.operation == "send" and request.status != HTTPStatus.BAD_REQUEST
    ]


def questions(simulator: Simulator, key: str) -> int:
    """Return how often a provider was asked for delivery since its first message."""
    first = simulator.messages.of(key)[0].created
    return sum(
        request.operation == "status" and request.received > first
        for request in simulator.requests.of(key)
    )


def callbacks_asked(simulator: Simulator, key: str) -> list[Any]:
    """Return, for each send, the address that its provider is to call, or None."""
    field = CALLBACK_FIELDS.get(key, "webhook_url")
    return [fields.get(field) for fields in sends(simulator, key)]


def hook_of(account: MockConfigEntry) -> str:
    """Return the path of an account's webhook."""
    return f"/api/webhook/{account.data[CONF_WEBHOOK_ID]}"


def status_of(hass: HomeAssistant, account: MockConfigEntry) -> str:
    """Return the status of an account's last message."""
    state = hass.states.get(f"sensor.{slugify(account.title)}_last_delivery_status")
    assert state is not None
    return state.state


def counts(account: MockConfigEntry) -> tuple[int, int]:
    """Return how many callbacks were about messages of the account, and how not."""
    webhook = account.runtime_data.webhook
    return webhook.heard, webhook.ignored


async def report_of(simulator: Simulator, status: str, index: int = -1) -> Callback:
    """Let a message reach its end, and return what its provider says of it.

    The provider cannot reach HOME, which does not exist; `bring` does it instead.
    """
    message = simulator.messages[index]
    simulator.move(message.id, status)
    await simulator.finish_callbacks()
    report = simulator.callbacks[-1]
    assert report.message_id == message.id
    return report


async def bring(
    server: Server, report: Callback, *, to: str | None = None
) -> ClientResponse:
    """Bring a callback to the server as its provider makes it; `to` is another path."""
    path = URL(to or URL(report.url).path_qs, encoded=True)
    texts = {name: str(value) for name, value in report.payload.items()}
    match report.encoding:
        case "json":
            response = await server.request(
                report.method, path, json=dict(report.payload)
            )
        case "form":
            response = await server.request(report.method, path, data=texts)
        case "query":
            response = await server.request(report.method, path.update_query(texts))
    assert response.status == HTTPStatus.OK
    return response


# The address that a provider is given


@EACH_PROVIDER
@pytest.mark.usefixtures("server")
async def test_a_provider_that_reports_delivery_is_given_an_https_address(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """With the reference of the submission, another one each time."""
    account = await accounts.set_up(key)

    await send(hass, account)
    await send(hass, account, "Un altro allarme")

    asked = callbacks_asked(simulator, key)
    if key not in CALLBACK_FIELDS:
        assert asked == [None, None]
        assert HOME not in str(sends(simulator, key))
        return
    urls = [URL(url) for url in asked]
    assert [str(url.with_query(None)) for url in urls] == [HOME + hook_of(account)] * 2
    assert len({url.query["submission"] for url in urls}) == 2
    if key == "transactionale":
        wanted = [fields["receive_dlr"] for fields in sends(simulator, key)]
        assert wanted == ["always", "always"]


@EACH_THAT_TELLS
@pytest.mark.parametrize(
    ("external", "internal"),
    [
        (None, None),
        ("http://casa.example", None),
        ("https://93.184.216.34", None),
        (None, "https://casa.example"),
    ],
    ids=["none", "no https", "no certificate for an IP", "not from outside"],
)
@pytest.mark.usefixtures("server")
async def test_without_an_https_address_from_outside_no_callback_is_asked_for(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    key: str,
    external: str | None,
    internal: str | None,
) -> None:
    """Delivery is asked for then."""
    await hass.config.async_update(external_url=external, internal_url=internal)
    account = await accounts.set_up(key)

    await send(hass, account)

    assert callbacks_asked(simulator, key) == [None]
    assert "receive_dlr" not in sends(simulator, key)[0]
    await until(lambda: questions(simulator, key))


@EACH_THAT_TELLS
@pytest.mark.parametrize("choice", ["poll", "off"])
@pytest.mark.usefixtures("server")
async def test_no_callback_is_asked_for_if_the_user_does_not_want_it(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    key: str,
    choice: str,
) -> None:
    account = await accounts.set_up(key, options={CONF_DELIVERY_REPORTS: choice})

    await send(hass, account)

    assert callbacks_asked(simulator, key) == [None]


@pytest.mark.usefixtures("server")
async def test_a_changed_address_is_followed(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Without a reload; and so is one that is gone, or comes back."""
    key = "smshosting"
    account = await accounts.set_up(key)

    for address in ("https://nuova.example:8443", "http://casa.example", None, HOME):
        await hass.config.async_update(external_url=address)
        await hass.async_block_till_done(wait_background_tasks=True)
        await send(hass, account, f"Allarme da {address}")
        reached = account.runtime_data.webhook.is_reachable
        (asked,) = callbacks_asked(simulator, key)[-1:]
        if address is None or not address.startswith("https"):
            assert (asked, reached) == (None, False)
        else:
            assert str(asked).startswith(f"{address}{hook_of(account)}?submission=")
            assert reached
    # What has nothing to do with it changes nothing.
    await hass.config.async_update(location_name="Casa al mare")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert account.runtime_data.webhook.is_reachable


# Home Assistant Cloud


class Cloud:
    """Stands in for the cloud component, which needs more than is installed here.

    It has what we use of it: the functions are those of its public list, with the
    same parameters, as a test below makes sure of. `error` is raised once by the
    attempt to make a cloudhook, which takes until `is_quick` is set, `delete_error` by
    each attempt to delete one.
    """

    SIGNAL_CLOUD_CONNECTION_STATE = "CLOUD_CONNECTION_STATE"
    _SIGNAL_CLOUDHOOKS_UPDATED = "CLOUDHOOKS_UPDATED"

    class CloudConnectionState(Enum):
        """Return whether Home Assistant is connected to the cloud."""

        CLOUD_CONNECTED = "cloud_connected"
        CLOUD_DISCONNECTED = "cloud_disconnected"

    class CloudNotAvailable(HomeAssistantError):  # noqa: N818 - its name there
        """No user is logged in."""

    class CloudNotConnected(CloudNotAvailable):
        """A user is, but there is no connection."""

    def __init__(self) -> None:
        """Begin with a subscriber who is connected."""
        self.is_subscribed = True
        self.is_connected = True
        self.hooks: dict[str, str] = {}
        self.error: Exception | None = None
        self.delete_error: Exception | None = None
        self.is_quick = asyncio.Event()
        self.is_quick.set()

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return what stands in for the functions of the same names."""
        return {
            name: getattr(self, name)
            for name in dir(self)
            if name.startswith("async_") and callable(getattr(self, name))
        }

    def module(self) -> ModuleType:
        """Return all of it as a module."""
        module = ModuleType("homeassistant.components.cloud")
        vars(module).update(
            self.functions(),
            SIGNAL_CLOUD_CONNECTION_STATE=self.SIGNAL_CLOUD_CONNECTION_STATE,
            CloudConnectionState=self.CloudConnectionState,
            CloudNotAvailable=self.CloudNotAvailable,
            CloudNotConnected=self.CloudNotConnected,
        )
        return module

    def change(self, hass: HomeAssistant, webhook_id: str, url: str | None) -> None:
        """Change or delete a cloudhook, and notify."""
        if url is None:
            del self.hooks[webhook_id]
        else:
            self.hooks[webhook_id] = url
        hooks = {id_: {"cloudhook_url": hook} for id_, hook in self.hooks.items()}
        async_dispatcher_send(hass, self._SIGNAL_CLOUDHOOKS_UPDATED, hooks)

    def async_active_subscription(self, hass: HomeAssistant) -> bool:  # noqa: ARG002
        """Return whether a user with a subscription is logged in."""
        return self.is_subscribed

    async def async_get_or_create_cloudhook(
        self, hass: HomeAssistant, webhook_id: str
    ) -> str:
        """Return a webhook's address in the cloud."""
        if not self.is_connected:
            raise self.CloudNotConnected
        if webhook_id not in self.hooks:
            await asyncio.sleep(0)
            await self.is_quick.wait()
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            self.change(hass, webhook_id, f"{CLOUD_HOOKS}{len(self.hooks)}")
        return self.hooks[webhook_id]

    async def async_delete_cloudhook(
        self, hass: HomeAssistant, webhook_id: str
    ) -> None:
        """Give an address back."""
        if self.delete_error is not None:
            raise self.delete_error
        if not self.is_subscribed:
            raise self.CloudNotAvailable
        if webhook_id not in self.hooks:
            raise ValueError(webhook_id)
        self.change(hass, webhook_id, None)

    def async_listen_connection_change(
        self, hass: HomeAssistant, target: Callable[..., Any]
    ) -> Callable[[], None]:
        """Follow the connection."""
        return async_dispatcher_connect(
            hass, self.SIGNAL_CLOUD_CONNECTION_STATE, target
        )

    def async_listen_cloudhook_change(
        self,
        hass: HomeAssistant,
        webhook_id: str,
        on_change: Callable[[dict[str, Any] | None], None],
    ) -> Callable[[], None]:
        """Follow one address."""

        @callback
        def notify(hooks: dict[str, Any]) -> None:
            on_change(hooks.get(webhook_id))

        return async_dispatcher_connect(hass, self._SIGNAL_CLOUDHOOKS_UPDATED, notify)


@pytest.fixture
def cloud(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Return Home Assistant's cloud, loaded."""
    cloud = Cloud()
    monkeypatch.setitem(sys.modules, "homeassistant.components.cloud", cloud.module())
    hass.config.components.add("cloud")
    return cloud


def test_the_stand_in_for_the_cloud_has_the_shape_of_the_real_one() -> None:
    """The real one cannot be imported here, but it can be read."""
    folder = Path(importlib.import_module("homeassistant.components").__path__[0])
    real = ast.parse((folder / "cloud" / "__init__.py").read_text("utf-8"))
    defined = {node.name: node for node in real.body if hasattr(node, "name")}

    functions = Cloud().functions()
    assert functions
    for name, function in functions.items():
        node = defined[name]
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        assert [argument.arg for argument in node.args.args] == list(
            inspect.signature(function).parameters
        )
        is_async = isinstance(node, ast.AsyncFunctionDef)
        assert is_async == inspect.iscoroutinefunction(function), name
    for name, base in (
        ("CloudNotAvailable", "HomeAssistantError"),
        ("CloudNotConnected", "CloudNotAvailable"),
    ):
        error = defined[name]
        assert isinstance(error, ast.ClassDef)
        assert [ast.unparse(one) for one in error.bases] == [base]


@EACH_THAT_TELLS
@pytest.mark.parametrize("external", [HOME, None])
@pytest.mark.usefixtures("server")
async def test_the_cloud_comes_before_an_address_of_ones_own(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    cloud: Cloud,
    key: str,
    external: str | None,
) -> None:
    """One address for each account, the same after a reload."""
    await hass.config.async_update(external_url=external)
    account = await accounts.set_up(key)

    await send(hass, account)
    assert await hass.config_entries.async_reload(account.entry_id)
    await send(hass, account, "Un altro allarme")

    assert list(cloud.hooks) == [account.data[CONF_WEBHOOK_ID]]
    urls = [URL(url) for url in callbacks_asked(simulator, key)]
    assert [str(url.with_query(None)) for url in urls] == [f"{CLOUD_HOOKS}0"] * 2
    assert all(url.query["submission"] for url in urls)


@pytest.mark.usefixtures("server")
async def test_the_cloud_is_followed_as_it_comes_and_goes(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, cloud: Cloud
) -> None:
    """While it is not there, our own address is used."""
    cloud.is_connected = False
    account = await accounts.set_up("smshosting")
    texts = iter("abcdef")

    async def address() -> str:
        await hass.async_block_till_done(wait_background_tasks=True)
        await send(hass, account, next(texts))
        return str(callbacks_asked(simulator, "smshosting")[-1]).partition("?")[0]

    assert await address() == HOME + hook_of(account)

    cloud.is_connected = True
    async_mock_cloud_connection_status(hass, True)  # noqa: FBT003 - the kit's own
    assert await address() == f"{CLOUD_HOOKS}0"

    cloud.change(hass, account.data[CONF_WEBHOOK_ID], f"{CLOUD_HOOKS}nuovo")
    assert await address() == f"{CLOUD_HOOKS}nuovo"

    cloud.is_subscribed = False
    async_mock_cloud_connection_status(hass, False)  # noqa: FBT003 - as above
    assert await address() == HOME + hook_of(account)


@pytest.mark.parametrize(
    "error",
    [
        CloudError("no answer"),
        TimeoutError(),
        ValueError("Hook is already enabled for the cloud."),
        Cloud.CloudNotAvailable(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.usefixtures("server")
async def test_trouble_in_the_cloud_does_not_keep_an_account_from_sending(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    cloud: Cloud,
    error: Exception,
) -> None:
    """Whatever it raises; the next time that it connects, it is asked again."""
    cloud.error = error
    account = await accounts.set_up("smshosting")
    assert account.state is ConfigEntryState.LOADED

    await send(hass, account)
    assert arrived(simulator) == [(ANNA, "Allarme")]
    assert callbacks_asked(simulator, "smshosting")[0].startswith(HOME)

    async_mock_cloud_connection_status(hass, True)  # noqa: FBT003 - the kit's own
    await hass.async_block_till_done(wait_background_tasks=True)
    await send(hass, account, "Un altro allarme")
    assert callbacks_asked(simulator, "smshosting")[1].startswith(CLOUD_HOOKS)


@pytest.mark.parametrize("external", [HOME, None])
@pytest.mark.usefixtures("server")
async def test_an_address_that_the_cloud_takes_long_to_make_holds_nothing_up(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    cloud: Cloud,
    external: str | None,
) -> None:
    """Until it is there, our own address is used."""
    await hass.config.async_update(external_url=external)
    cloud.is_quick.clear()
    account = accounts.add("smshosting")

    async def send_now(text: str) -> str:
        message = {"message": text, "target": [ANNA]}
        await hass.services.async_call(
            NOTIFY_DOMAIN, "smshosting", message, blocking=True
        )
        return str(callbacks_asked(simulator, "smshosting")[-1])

    async with asyncio.timeout(5):
        assert await hass.config_entries.async_setup(account.entry_id)
    assert (await send_now("Allarme")).startswith(external or "None")

    cloud.is_quick.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (await send_now("Un altro allarme")).startswith(CLOUD_HOOKS)


@pytest.mark.usefixtures("server")
async def test_what_an_older_search_finds_does_not_replace_what_a_newer_one_found(
    hass: HomeAssistant, accounts: Accounts, cloud: Cloud
) -> None:
    """The cloud may be gone by the time that it answers."""
    cloud.is_quick.clear()
    account = accounts.add("smshosting")
    assert await hass.config_entries.async_setup(account.entry_id)

    cloud.is_subscribed = False
    async_mock_cloud_connection_status(hass, False)  # noqa: FBT003 - the kit's own
    cloud.is_quick.set()
    await hass.async_block_till_done(wait_background_tasks=True)

    url = account.runtime_data.webhook.callback_url("vacanze")
    assert url is not None
    assert url.startswith(HOME)


@pytest.mark.parametrize("trouble", ["none", "never made", "logged out"])
@pytest.mark.usefixtures("server")
async def test_a_removed_account_gives_its_address_in_the_cloud_back(
    hass: HomeAssistant, accounts: Accounts, cloud: Cloud, trouble: str
) -> None:
    """If there is one, and the cloud can be reached."""
    cloud.is_connected = trouble != "never made"
    account = await accounts.set_up("smshosting")
    other = await accounts.set_up("transactionale")
    cloud.is_connected = True
    cloud.is_subscribed = trouble != "logged out"

    await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    left = {
        "none": [other.data[CONF_WEBHOOK_ID]],
        "never made": [],
        "logged out": [account.data[CONF_WEBHOOK_ID], other.data[CONF_WEBHOOK_ID]],
    }
    assert hass.config_entries.async_get_entry(account.entry_id) is None
    assert list(cloud.hooks) == left[trouble]


async def test_an_account_that_never_ran_is_removed_without_the_cloud(
    hass: HomeAssistant, accounts: Accounts, cloud: Cloud
) -> None:
    """It has no webhook yet."""
    account = accounts.add("smshosting")

    await hass.config_entries.async_remove(account.entry_id)

    assert hass.config_entries.async_get_entry(account.entry_id) is None
    assert cloud.hooks == {}


# Reports of providers


@EACH_THAT_REPORTS
@pytest.mark.parametrize("status", ["delivered", "failed", "expired"])
async def test_a_documented_report_is_believed_at_once(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,
    key: str,
    status: str,
) -> None:
    """Nothing is asked. Smshosting has no word of its own for what expired."""
    account = await accounts.set_up(key)
    await send(hass, account)
    if (key, status) == ("smshosting", "expired"):
        status = "failed"

    await bring(server, await report_of(simulator, status))
    await until(lambda: status_of(hass, account) == status)

    await until(lambda: counts(account) == (1, 0))
    assert questions(simulator, key) == 0


async def test_a_callback_without_documentation_is_a_hint_to_ask(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, server: Server
) -> None:
    """What it says is not believed: the provider is asked once for each."""
    key = "smsviainternet"
    account = await accounts.set_up(key)
    await send(hass, account)
    report = await report_of(simulator, "delivered")
    simulator.move(simulator.messages[0].id, "sent")

    await bring(server, report)
    await until(lambda: status_of(hass, account) == "sent")
    assert questions(simulator, key) == 1

    simulator.move(simulator.messages[0].id, "delivered")
    await bring(server, report)
    await until(lambda: status_of(hass, account) == "delivered")
    assert questions(simulator, key) == 2
    assert counts(account) == (2, 0)


@EACH_THAT_TELLS
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_bare_call_is_accepted_by_either_method(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,
    key: str,
    method: str,
) -> None:
    """It is not known which of them a provider uses."""
    account = await accounts.set_up(key)
    await send(hass, account)
    path = URL((await report_of(simulator, "delivered")).url).path_qs

    response = await server.request(method, path)

    assert (response.status, await response.read()) == (HTTPStatus.OK, b"")
    await until(lambda: status_of(hass, account) == "delivered")
    assert questions(simulator, key) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_other_methods_are_refused(
    accounts: Accounts, server: Server, method: str
) -> None:
    account = await accounts.set_up("smshosting")

    response = await server.request(method, hook_of(account))

    assert response.status == HTTPStatus.METHOD_NOT_ALLOWED
    assert counts(account) == (0, 0)


@EACH_THAT_TELLS
async def test_a_callback_that_is_quicker_than_the_answer_is_not_lost(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,
    line: Line,
    key: str,
) -> None:
    """The provider reports the delivery before it answers to the send."""
    account = await accounts.set_up(key, settings={"url": line.url(key)})
    line.hold_answers()
    sending = asyncio.create_task(send(hass, account))
    await until(lambda: simulator.messages)

    await bring(server, await report_of(simulator, "delivered"))
    await until(lambda: counts(account) == (1, 0))
    line.release_answers()
    await sending

    await until(lambda: status_of(hass, account) == "delivered")
    assert len(simulator.messages) == 1


# What is no word of a provider's


RUBBISH = (
    b"",
    b"\xff\xfe\x00",
    b"<html>",
    b"[" * 60_000,
    b'{"sms_id": [1], "phone": {}, "status": 7}',
    b'{"sms_id": 1, "phone": "393331234567", "status": "delivered"}',
)
"""Of the last one all is right, but for the id."""


@EACH_THAT_TELLS
async def test_a_callback_about_an_unknown_message_is_counted_and_dropped(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,
    key: str,
) -> None:
    """The caller learns nothing, and no provider is asked."""
    account = await accounts.set_up(key)
    await send(hass, account)

    for query in ("", "?submission=", "?submission=ignota"):
        for body in RUBBISH:
            response = await server.post(hook_of(account) + query, data=body)
            assert (response.status, await response.read()) == (HTTPStatus.OK, b"")

    await until(lambda: counts(account) == (0, 3 * len(RUBBISH)))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert status_of(hass, account) == "queued"
    assert questions(simulator, key) == 0


async def test_a_body_is_read_up_to_a_bound(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, server: Server
) -> None:
    """One that is longer is not even a hint, however it comes."""
    account = await accounts.set_up("transactionale")
    await send(hass, account)
    path = URL(callbacks_asked(simulator, "transactionale")[0]).path_qs

    async def drip() -> AsyncGenerator[bytes]:
        for _ in range(MOST_BYTES // 1024 + 1):
            yield b"x" * 1024

    for body in (b" " * (MOST_BYTES + 1), drip()):
        response = await server.post(path, data=body)
        assert response.status == HTTPStatus.OK
    assert counts(account) == (0, 2)
    assert questions(simulator, "transactionale") == 0

    report = json.dumps(
        dict((await report_of(simulator, "delivered")).payload)
    ).encode()
    await server.post(path, data=report.ljust(MOST_BYTES))
    await until(lambda: status_of(hass, account) == "delivered")
    await until(lambda: counts(account) == (1, 2))
    assert questions(simulator, "transactionale") == 0


async def test_a_report_does_not_move_a_final_status(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, server: Server
) -> None:
    """The first end is the end."""
    account = await accounts.set_up("transactionale")
    await send(hass, account)
    await bring(server, await report_of(simulator, "delivered"))
    await until(lambda: counts(account) == (1, 0))
    assert status_of(hass, account) == "delivered"

    await bring(server, await report_of(simulator, "failed"))

    await until(lambda: counts(account) == (1, 1))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert status_of(hass, account) == "delivered"
    assert questions(simulator, "transactionale") == 0


@EACH_THAT_TELLS
async def test_nothing_is_learned_of_a_message_at_another_accounts_webhook(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,
    key: str,
) -> None:
    """Its reference and its id do not help there."""
    account = await accounts.set_up(key)
    other = await accounts.set_up(key, title="Un altro")
    await send(hass, account)
    report = await report_of(simulator, "delivered")
    query = URL(report.url).query_string

    await bring(server, report, to=f"{hook_of(other)}?{query}")

    await until(lambda: sum(counts(other)))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert counts(other) == (0, 1)
    assert counts(account) == (0, 0)
    assert status_of(hass, account) == "queued"
    assert questions(simulator, key) == 0


async def test_a_doubt_is_not_settled_by_another_accounts_provider(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It knows nothing of the message, which must not be sent again for that."""
    timing = partial(Timing, first_pause=0.02, first_poll_if_pushed=3600, never_came=0)
    monkeypatch.setattr(sms_italia, "Timing", timing)
    account = await accounts.set_up("smshosting")
    async with Simulator() as elsewhere:
        other = await accounts.set_up(
            "smshosting",
            title="Un altro",
            settings={"url": elsewhere.url("smshosting")},
        )
        simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT, operation="send")
        with pytest.raises(HomeAssistantError):
            await send(hass, account)
        query = URL(callbacks_asked(simulator, "smshosting")[0]).query_string

        await server.post(f"{hook_of(other)}?{query}")

        await until(lambda: sum(counts(other)))
        await hass.async_block_till_done(wait_background_tasks=True)
        assert counts(other) == (0, 1)
        assert status_of(hass, account) == "uncertain"
        # What was begun is finished then.
        for entry in (other, account):
            assert await hass.config_entries.async_unload(entry.entry_id)
        assert "status" not in {one.operation for one in elsewhere.requests}
    assert arrived(simulator) == [(ANNA, "Allarme")]


# The webhook's id


async def test_each_account_has_a_random_id_and_keeps_it(
    hass: HomeAssistant, accounts: Accounts, server: Server
) -> None:
    """Over a reload too; it stands in the entry."""
    account = await accounts.set_up("smshosting")
    other = await accounts.set_up("transactionale")
    first, second = (one.data[CONF_WEBHOOK_ID] for one in (account, other))
    assert first != second
    assert all(len(bytes.fromhex(one)) == 32 for one in (first, second))

    assert await hass.config_entries.async_reload(account.entry_id)

    assert account.data[CONF_WEBHOOK_ID] == first
    assert (await server.post(hook_of(account))).status == HTTPStatus.OK
    await until(lambda: counts(account) == (0, 1))


async def test_the_webhook_is_there_while_the_account_is_loaded(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """Afterwards it does not answer, and it can be registered again."""
    websocket = await hass_ws_client(hass)

    async def registered() -> list[dict[str, Any]]:
        await websocket.send_json_auto_id({"type": "webhook/list"})
        return list((await websocket.receive_json())["result"])

    account = await accounts.set_up("transactionale")
    await send(hass, account)
    (hook,) = await registered()
    assert hook["webhook_id"] == account.data[CONF_WEBHOOK_ID]
    assert hook["domain"] == DOMAIN
    assert hook["local_only"] is False
    assert sorted(hook["allowed_methods"]) == ["GET", "POST"]

    assert await hass.config_entries.async_unload(account.entry_id)
    assert await registered() == []
    await bring(server, await report_of(simulator, "delivered"))
    await hass.config.async_update(external_url="https://altrove.example")

    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(await registered()) == 1
    assert status_of(hass, account) == "queued"
    assert counts(account) == (0, 0)


@pytest.mark.usefixtures("server")
async def test_a_webhook_exists_only_for_an_account_that_uses_it(
    hass: HomeAssistant,
    accounts: Accounts,
    server: Server,  # noqa: ARG001 - it gives an address
    hass_ws_client: WebSocketGenerator,
) -> None:
    """It comes and goes with option and address, while the account stays loaded."""
    websocket = await hass_ws_client(hass)

    async def count() -> int:
        await hass.async_block_till_done(wait_background_tasks=True)
        await websocket.send_json_auto_id({"type": "webhook/list"})
        return len((await websocket.receive_json())["result"])

    other = await accounts.set_up("inviosmart")
    assert await count() == 0
    assert CONF_WEBHOOK_ID not in other.data
    account = await accounts.set_up("transactionale")
    assert await count() == 1
    for chosen, expected in (("poll", 0), ("off", 0), ("auto", 1)):
        options = {CONF_DELIVERY_REPORTS: chosen}
        hass.config_entries.async_update_entry(account, options=options)
        assert await count() == expected
        is_reachable = account.runtime_data.webhook.is_reachable
        assert is_reachable is bool(expected)
    for address, expected in ((None, 0), ("http://casa.example", 0), (HOME, 1)):
        await hass.config.async_update(external_url=address)
        assert await count() == expected


@pytest.mark.usefixtures("server")
async def test_an_account_that_uses_no_webhook_has_no_address_in_the_cloud(
    hass: HomeAssistant, accounts: Accounts, cloud: Cloud
) -> None:
    """One that was made is given back; another is made when it is used again."""
    await accounts.set_up("inviosmart")
    account = await accounts.set_up(
        "smshosting", options={CONF_DELIVERY_REPORTS: "poll"}
    )
    assert cloud.hooks == {}

    for chosen in ("auto", "poll", "auto"):
        options = {CONF_DELIVERY_REPORTS: chosen}
        hass.config_entries.async_update_entry(account, options=options)
        await hass.async_block_till_done(wait_background_tasks=True)
        expected = [account.data[CONF_WEBHOOK_ID]] if chosen == "auto" else []
        assert list(cloud.hooks) == expected


@pytest.mark.usefixtures("server")
async def test_an_address_in_the_cloud_is_deleted_if_reports_ended_while_unloaded(
    hass: HomeAssistant, accounts: Accounts, cloud: Cloud
) -> None:
    """Nobody follows the options of an account that is not loaded."""
    account = await accounts.set_up("smshosting")
    assert list(cloud.hooks) == [account.data[CONF_WEBHOOK_ID]]
    assert await hass.config_entries.async_unload(account.entry_id)
    hass.config_entries.async_update_entry(
        account, options={CONF_DELIVERY_REPORTS: "off"}
    )

    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert cloud.hooks == {}


@pytest.mark.usefixtures("server")
async def test_an_address_in_the_cloud_is_deleted_if_reports_ended_while_it_was_made(
    hass: HomeAssistant, accounts: Accounts, cloud: Cloud
) -> None:
    cloud.is_quick.clear()
    account = accounts.add("smshosting")
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done()

    hass.config_entries.async_update_entry(
        account, options={CONF_DELIVERY_REPORTS: "off"}
    )
    await hass.async_block_till_done()
    cloud.is_quick.set()
    await hass.async_block_till_done(wait_background_tasks=True)

    assert cloud.hooks == {}


@pytest.mark.parametrize("way", ["unload", "disable"])
@pytest.mark.usefixtures("server")
async def test_an_account_that_is_not_loaded_gives_its_address_back_when_removed(
    hass: HomeAssistant, accounts: Accounts, cloud: Cloud, way: str
) -> None:
    account = await accounts.set_up("smshosting")
    if way == "unload":
        assert await hass.config_entries.async_unload(account.entry_id)
    else:
        await hass.config_entries.async_set_disabled_by(
            account.entry_id, ConfigEntryDisabler.USER
        )
    assert list(cloud.hooks) == [account.data[CONF_WEBHOOK_ID]]

    await hass.config_entries.async_remove(account.entry_id)

    assert cloud.hooks == {}


@pytest.mark.usefixtures("server")
async def test_trouble_in_the_cloud_does_not_keep_a_removed_accounts_messages(
    hass: HomeAssistant, accounts: Accounts, cloud: Cloud
) -> None:
    """Whatever it raises."""
    account = await accounts.set_up("smshosting")
    await accounts.set_up("inviosmart")
    await send(hass, account)
    cloud.delete_error = CloudError("no answer")

    await hass.config_entries.async_remove(account.entry_id)

    found = await call(hass, "find_messages")
    assert found["total"] == 0


# Forged reports


@pytest.fixture
async def forged(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,  # noqa: ARG001 - it gives an address
    request: pytest.FixtureRequest,
) -> tuple[MockConfigEntry, Callback]:
    """Return an account, and what its provider would say of its failed message.

    A failed delivery would be sent again by another account.
    """
    key: str = request.getfixturevalue("key")
    fallback = await accounts.set_up("inviosmart")
    account = await accounts.set_up(
        key,
        options={
            CONF_FALLBACK: [fallback.entry_id],
            CONF_FAILOVER_ON_FAILED_DELIVERY: True,
        },
    )
    await send(hass, account)
    report = await report_of(simulator, "failed")
    # What the provider would answer, if it were asked.
    simulator.move(report.message_id, "sent")
    return account, report


@EACH_THAT_TELLS
@pytest.mark.parametrize(
    "reference", ["none", "empty", "dot", "unsigned", "another's", "of no message"]
)
async def test_a_report_without_the_reference_of_its_submission_changes_nothing(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    simulator: Simulator,
    server: Server,
    forged: tuple[MockConfigEntry, Callback],
    key: str,
    reference: str,
) -> None:
    """Although ID and number are right."""
    account, report = forged
    own = URL(report.url).query["submission"].rpartition(".")[0]
    await send(hass, account, "Un altro allarme")
    another = str(URL(callbacks_asked(simulator, key)[-1]).query["submission"])
    queries: dict[str, dict[str, str]] = {
        "none": {},
        "empty": {"submission": ""},
        "dot": {"submission": "."},
        "unsigned": {"submission": own},
        "another's": {"submission": another},
        "of no message": {
            "submission": str(
                URL(account.runtime_data.webhook.callback_url("ignota")).query[
                    "submission"
                ]
            )
        },
    }
    path = URL(URL(report.url).path).with_query(queries[reference])

    await bring(server, report, to=str(path))

    is_hint = reference == "another's"
    await until(lambda: counts(account) == ((1, 0) if is_hint else (0, 1)))
    is_unsigned = reference in {"none", "empty", "dot", "unsigned"}
    assert account.runtime_data.webhook.unsigned == int(is_unsigned)
    await hass.async_block_till_done(wait_background_tasks=True)
    messages = account.runtime_data.messenger.open_messages(account.entry_id)
    assert {str(one.status) for one in messages} <= {"queued", "sent"}
    assert len(messages) == len(simulator.messages) == 2


@pytest.mark.parametrize("key", ["smshosting"])
async def test_six_hundred_guessed_ids_change_nothing_and_cost_no_second_sms(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    simulator: Simulator,
    server: Server,
    forged: tuple[MockConfigEntry, Callback],
    key: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the right number, the right ID among them, and a reference that is known.

    The user chose it, and the provider's panel shows it. Each is counted, none reaches
    a tracker, and the log has three lines.
    """
    account, report = forged
    await hass.services.async_call(
        DOMAIN,
        "send_sms",
        {
            "config_entry_id": account.entry_id,
            "numbers": ANNA,
            "message": "Con nome",
            "transaction_id": "allarme",
        },
        blocking=True,
    )
    named = await report_of(simulator, "failed")
    simulator.move(named.message_id, "sent")
    first = int(str(named.payload["id"])) - 300
    path = URL(URL(report.url).path).with_query(submission="allarme")
    fields = {name: str(value) for name, value in named.payload.items()}
    for guess in range(600):
        fields["id"] = str(first + guess)
        response = await server.post(path, data=fields)
        assert response.status == HTTPStatus.OK

    webhook = account.runtime_data.webhook
    assert (webhook.heard, webhook.ignored, webhook.unsigned) == (0, 600, 600)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert questions(simulator, key) == 0
    assert len(simulator.messages) == 2
    assert status_of(hass, account) == "queued"
    lines = [
        record.getMessage()
        for record in caplog.records
        if "signed reference" in record.getMessage()
    ]
    assert [line.rsplit(" ", maxsplit=3)[1] for line in lines] == ["1", "10", "100"]

    # The provider itself, by the address that it was given, is believed.
    await bring(server, named)
    await until(lambda: webhook.heard == 1 and len(simulator.messages) == 3)


async def test_our_log_lines_do_not_contain_the_id(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    server: Server,
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who knows it can report anything."""
    caplog.set_level(logging.DEBUG)
    cloud.error = TimeoutError("on the way to the webhook")
    account = await accounts.set_up("smshosting")
    webhook_id = account.data[CONF_WEBHOOK_ID]
    await send(hass, account)
    simulator.inject("smshosting", Fault.HTML, operation="status")
    # Not the documented form, so only a hint to ask.
    await server.post(URL((await report_of(simulator, "delivered")).url).path_qs)
    await until(lambda: questions(simulator, "smshosting"))
    await server.post(hook_of(account), data=b"x" * (MOST_BYTES + 1))
    await server.post(hook_of(account), data=b"[" * 60_000)
    simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT, operation="send")
    with pytest.raises(HomeAssistantError):
        await send(hass, account, "Un altro allarme")
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.config_entries.async_remove(account.entry_id)

    ours = [
        f"{record.getMessage()} {record.exc_text}"
        for record in caplog.records
        if record.name.startswith(sms_italia.__name__)
    ]
    assert ours
    assert not [line for line in ours if webhook_id in line]
