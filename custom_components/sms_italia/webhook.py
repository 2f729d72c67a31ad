"""The webhook of an account, which providers call to report delivery."""

from contextlib import suppress
from http import HTTPStatus
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp.web import Request, Response
from homeassistant.components import webhook
from homeassistant.const import CONF_WEBHOOK_ID, EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.network import NoURLAvailableError
from yarl import URL

from .const import CONF_DELIVERY_REPORTS, CONF_PROVIDER, DOMAIN
from .messaging import DeliveryReports, Messenger
from .providers import PROVIDERS, Feature

if TYPE_CHECKING:
    from homeassistant.components.cloud import CloudConnectionState

    from .runtime import SmsItaliaConfigEntry

_LOGGER = logging.getLogger(__name__)

CLOUD = "cloud"

_SUBMISSION = "submission"
"""The query parameter with the reference of a submission."""

_MAX_BODY_BYTES = 64 * 1024


class DeliveryWebhook:
    """Registers the webhook of an account that uses one, and follows its https address.

    A caller needs the webhook's random ID and the reference of a submission. `heard`
    counts the callbacks about known submissions, `ignored` all others.
    """

    def __init__(
        self, hass: HomeAssistant, entry: SmsItaliaConfigEntry, messenger: Messenger
    ) -> None:
        """Set up the webhook; it is not registered yet."""
        self._hass = hass
        self._entry = entry
        self._messenger = messenger
        self._address: str | None = None
        self._registered: str | None = None
        self._searches = 0
        self.heard = 0
        self.ignored = 0

    @property
    def is_reachable(self) -> bool:
        """Return whether there is an address that providers can call."""
        return self._address is not None

    def callback_url(self, reference: str) -> str | None:
        """Return the URL for reports about a submission, None without an address."""
        if self._address is None:
            return None
        return f"{self._address}{quote(reference, safe='')}"

    @callback
    def async_setup(self) -> None:
        """Register the webhook, if the account uses it, and follow its address.

        Must run before the update listener is added: the first time, the webhook's ID
        is stored in the entry. The external address is used until the cloud returns
        one, which may take seconds.
        """
        entry, hass = self._entry, self._hass
        if CONF_WEBHOOK_ID not in entry.data:
            hass.config_entries.async_update_entry(
                entry,
                data={**entry.data, CONF_WEBHOOK_ID: webhook.async_generate_id()},
            )
        self._address = self._external_address()
        self.async_follow_entry()
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

    @property
    def _id(self) -> str:
        webhook_id: str = self._entry.data[CONF_WEBHOOK_ID]
        return webhook_id

    async def _find_url(self) -> None:
        """Set the address: the cloud's, else the external one if it is https."""
        self._searches += 1
        this_search = self._searches
        address = _address(await self._cloudhook()) or self._external_address()
        if this_search == self._searches:
            # The result of an older search is out of date.
            self._address = address

    def _external_address(self) -> str | None:
        """Return the external address of Home Assistant if it is https."""
        with suppress(NoURLAvailableError):
            return _address(
                webhook.async_generate_url(
                    self._hass, self._id, allow_internal=False, allow_ip=False
                )
            )
        return None

    async def _cloudhook(self) -> str | None:
        """Return the cloud's address of this webhook, None without a subscription."""
        if CLOUD not in self._hass.config.components or self._registered is None:
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
        """Read a callback and respond at once; it is processed afterwards."""
        body = bytearray()
        while chunk := await request.content.read(_MAX_BODY_BYTES + 1 - len(body)):
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                self.ignored += 1
                return Response(status=HTTPStatus.OK)
        self._entry.async_create_background_task(
            hass,
            self._process(request.query.get(_SUBMISSION, ""), bytes(body)),
            f"{DOMAIN} delivery callback",
        )
        return Response(status=HTTPStatus.OK)

    async def _process(self, reference: str, body: bytes) -> None:
        if await self._messenger.callback(self._entry.entry_id, reference, body):
            self.heard += 1
        else:
            self.ignored += 1

    @callback
    def async_follow_entry(self) -> None:
        """Register the webhook by the account's title if it is used, else remove it."""
        title = self._entry.title if wants_callbacks(self._entry) else None
        if title == self._registered:
            return
        was_used = self._registered is not None
        self._unregister()
        if title is None:
            return
        webhook.async_register(
            self._hass,
            DOMAIN,
            title,
            self._id,
            self._handle,
            allowed_methods=["GET", "POST"],
        )
        self._registered = title
        if not was_used:
            self._update_address()

    @callback
    def _unregister(self) -> None:
        if self._registered is not None:
            webhook.async_unregister(self._hass, self._id)
            self._registered = None

    @callback
    def _core_config_changed(self, event: Event[dict[str, Any]]) -> None:
        if "external_url" in event.data:
            self._update_address()

    @callback
    def _cloud_changed(self, _state: CloudConnectionState) -> None:
        self._update_address()

    @callback
    def _cloudhook_changed(self, _cloudhook: dict[str, Any] | None) -> None:
        self._update_address()

    @callback
    def _update_address(self) -> None:
        """Find the address again, in the background."""
        self._entry.async_create_background_task(
            self._hass, self._find_url(), f"{DOMAIN} webhook address"
        )


def wants_callbacks(entry: SmsItaliaConfigEntry) -> bool:
    """Return whether the provider of an account is to report delivery by itself."""
    chosen = entry.options.get(CONF_DELIVERY_REPORTS, DeliveryReports.AUTO)
    features = PROVIDERS[entry.data[CONF_PROVIDER]].capabilities.features
    return chosen == DeliveryReports.AUTO and Feature.DELIVERY_PUSH in features


def _address(url: str | None) -> str | None:
    """Return the URL that a reference is appended to, None unless it is https."""
    found = URL(url) if url else None
    if found is None or found.scheme != "https":
        return None
    return str(found.update_query({_SUBMISSION: ""}))


async def async_remove_cloudhook(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry
) -> None:
    """Delete the cloud's address of a removed account's webhook."""
    if CONF_WEBHOOK_ID not in entry.data or CLOUD not in hass.config.components:
        return
    from homeassistant.components import cloud  # noqa: PLC0415 - loaded already

    with suppress(cloud.CloudNotAvailable, ValueError):
        await cloud.async_delete_cloudhook(hass, entry.data[CONF_WEBHOOK_ID])
