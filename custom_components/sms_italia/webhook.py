"""Where providers tell delivery: a webhook an account, given an https address."""

from contextlib import suppress
from http import HTTPStatus
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp.web import Request, Response
from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID, EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.network import NoURLAvailableError
from yarl import URL

from .const import DOMAIN
from .messaging.messenger import Messenger

if TYPE_CHECKING:
    from homeassistant.components.cloud import CloudConnectionState

_LOGGER = logging.getLogger(__name__)

CLOUD = "cloud"

_SUBMISSION = "submission"
"""The query parameter with our reference: what a callback is about."""

_MAX_BODY_BYTES = 64 * 1024


class DeliveryWebhook:
    """Keeps an account's webhook registered, and knows its address of the moment.

    Whoever calls it knows a random id and the reference of a submission. `heard`
    counts the callbacks about submissions of ours, `ignored` the others.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, messenger: Messenger
    ) -> None:
        """Register nothing yet."""
        self._hass = hass
        self._entry = entry
        self._messenger = messenger
        self._address: str | None = None
        self._searches = 0
        self.heard = 0
        self.ignored = 0

    @property
    def is_reachable(self) -> bool:
        """Whether providers can call us at the moment."""
        return self._address is not None

    def callback_url(self, reference: str) -> str | None:
        """Return where delivery of a submission is to be told, None if nowhere."""
        if self._address is None:
            return None
        return f"{self._address}{quote(reference, safe='')}"

    @callback
    def async_setup(self) -> None:
        """Register the webhook, and follow its address from now on.

        Must come before the entry's update listener: the first time, the webhook's
        id goes into the entry. The cloud may take its time then to make an address;
        until it has, the one of Home Assistant's own is used.
        """
        entry, hass = self._entry, self._hass
        if CONF_WEBHOOK_ID not in entry.data:
            hass.config_entries.async_update_entry(
                entry,
                data={**entry.data, CONF_WEBHOOK_ID: webhook.async_generate_id()},
            )
        webhook.async_register(
            hass,
            DOMAIN,
            entry.title,
            self._id,
            self._handle,
            allowed_methods=["GET", "POST"],
        )
        entry.async_on_unload(self._unregister)
        entry.async_on_unload(
            hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._core_config_changed)
        )
        if CLOUD in hass.config.components:
            from homeassistant.components import cloud  # noqa: PLC0415 - loaded already

            entry.async_on_unload(
                cloud.async_listen_connection_change(hass, self._cloud_changed)
            )
            entry.async_on_unload(
                cloud.async_listen_cloudhook_change(
                    hass, self._id, self._cloudhook_changed
                )
            )
        self._address = self._external_address()
        self._search()

    @property
    def _id(self) -> str:
        webhook_id: str = self._entry.data[CONF_WEBHOOK_ID]
        return webhook_id

    async def _find_url(self) -> None:
        """Find the address: the cloud's, else the external one if it is https."""
        self._searches += 1
        mine = self._searches
        address = _address(await self._cloudhook()) or self._external_address()
        if mine == self._searches:
            # What an older search finds is out of date.
            self._address = address

    def _external_address(self) -> str | None:
        """Return the address of Home Assistant's own that is https, if there is one."""
        with suppress(NoURLAvailableError):
            return _address(
                webhook.async_generate_url(
                    self._hass, self._id, allow_internal=False, allow_ip=False
                )
            )
        return None

    async def _cloudhook(self) -> str | None:
        """Return the address that the cloud gives to this webhook, if it does."""
        if CLOUD not in self._hass.config.components:
            return None
        from homeassistant.components import cloud  # noqa: PLC0415 - loaded already

        if not cloud.async_active_subscription(self._hass):
            return None
        try:
            return await cloud.async_get_or_create_cloudhook(self._hass, self._id)
        except Exception as err:  # noqa: BLE001 - the account must not fail with the cloud
            _LOGGER.debug("No address in the cloud: %s", type(err).__name__)
            return None

    async def _handle(
        self, hass: HomeAssistant, _webhook_id: str, request: Request
    ) -> Response:
        """Take a callback and answer at once; it is worked on afterwards."""
        body = bytearray()
        while chunk := await request.content.read(_MAX_BODY_BYTES + 1 - len(body)):
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                self.ignored += 1
                return Response(status=HTTPStatus.OK)
        self._entry.async_create_background_task(
            hass,
            self._work(request.query.get(_SUBMISSION, ""), bytes(body)),
            f"{DOMAIN} delivery callback",
        )
        return Response(status=HTTPStatus.OK)

    async def _work(self, reference: str, body: bytes) -> None:
        if await self._messenger.callback(self._entry.entry_id, reference, body):
            self.heard += 1
        else:
            self.ignored += 1

    @callback
    def _unregister(self) -> None:
        webhook.async_unregister(self._hass, self._id)

    @callback
    def _core_config_changed(self, event: Event[dict[str, Any]]) -> None:
        if "external_url" in event.data:
            self._search()

    @callback
    def _cloud_changed(self, _state: CloudConnectionState) -> None:
        self._search()

    @callback
    def _cloudhook_changed(self, _cloudhook: dict[str, Any] | None) -> None:
        self._search()

    @callback
    def _search(self) -> None:
        """Find the address anew."""
        self._entry.async_create_background_task(
            self._hass, self._find_url(), f"{DOMAIN} webhook address"
        )


def _address(url: str | None) -> str | None:
    """Return what a submission's reference is added to, None unless it is https."""
    found = URL(url) if url else None
    if found is None or found.scheme != "https":
        return None
    return str(found.update_query({_SUBMISSION: ""}))


async def async_forget_webhook(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Give back the cloud's address of a removed account's webhook."""
    if CONF_WEBHOOK_ID not in entry.data or CLOUD not in hass.config.components:
        return
    from homeassistant.components import cloud  # noqa: PLC0415 - loaded already

    with suppress(cloud.CloudNotAvailable, ValueError):
        await cloud.async_delete_cloudhook(hass, entry.data[CONF_WEBHOOK_ID])
