"""The webhook of an account, which providers call to report delivery."""

from contextlib import suppress
from hashlib import sha256
import hmac
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

from .const import (
    CONF_CALLBACK_KEY,
    CONF_DELIVERY_REPORTS,
    CONF_PROVIDER,
    CONF_RECEIVE,
    DOMAIN,
)
from .messaging import DeliveryReports, Messenger
from .providers import PROVIDERS, Feature

if TYPE_CHECKING:
    from homeassistant.components.cloud import CloudConnectionState

    from .runtime import SmsItaliaConfigEntry

_LOGGER = logging.getLogger(__name__)

CLOUD = "cloud"

_SUBMISSION = "submission"
"""The query parameter with the reference of a submission."""

_NUMBER = "number"
"""The query parameter with who wrote an SMS that came in.

Facts: docs/development/provider-apis/common.md 10.
"""

_SIGNATURE_LENGTH = 32
"""Hexadecimal digits."""

_MAX_BODY_BYTES = 64 * 1024


class DeliveryWebhook:
    """Registers the webhook of an account that uses one, and follows its https address.

    Without an address there is no webhook either. A caller needs its random ID and the
    signed reference of a submission. `heard` counts the callbacks about known
    submissions, `ignored` all others, and `unsigned` those of them without a signature.
    """

    def __init__(
        self, hass: HomeAssistant, entry: SmsItaliaConfigEntry, messenger: Messenger
    ) -> None:
        """Set up the webhook; it is not registered yet."""
        self._hass = hass
        self._entry = entry
        self._messenger = messenger
        # Not known at first: what was left of an account that did not run is removed.
        self._is_wanted: bool | None = None
        self._address: str | None = None
        self._registered: str | None = None
        self._searches = 0
        self.heard = 0
        self.ignored = 0
        self.unsigned = 0

    @property
    def is_reachable(self) -> bool:
        """Return whether there is an address that providers can call."""
        return self._address is not None

    def callback_url(self, reference: str) -> str | None:
        """Return the URL for reports about a submission, None without an address."""
        if self._address is None or not _wants_callbacks(self._entry):
            return None
        return f"{self._address}{quote(self._signed(reference), safe='')}"

    @property
    def receive_url(self) -> str | None:
        """Return the URL to set in the provider's panel for incoming SMS.

        None if the account does not receive, or there is no address. Whoever knows it
        can only make us search.
        """
        if self._address is None or not _wants_incoming(self._entry):
            return None
        return str(URL(self._address).with_query(None))

    @callback
    def async_setup(self) -> None:
        """Register the webhook, if the account uses it, and follow its address.

        Must run before the update listener is added: the first time, the webhook's ID
        and the key of its signatures are stored in the entry. The external address is
        used until the cloud returns one, which may take seconds.
        """
        entry, hass = self._entry, self._hass
        if not (_can_report(entry) or _can_receive(entry)):
            return
        new = {
            key: webhook.async_generate_id()
            for key in (CONF_WEBHOOK_ID, CONF_CALLBACK_KEY)
            if key not in entry.data
        }
        if new:
            hass.config_entries.async_update_entry(entry, data={**entry.data, **new})
        self.async_follow_entry()
        entry.async_on_unload(self._stop)
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

    @callback
    def async_follow_entry(self) -> None:
        """Take up whether the account uses the webhook, and its title."""
        was_wanted, self._is_wanted = self._is_wanted, _wants_webhook(self._entry)
        if self._is_wanted == was_wanted:
            self._register()
        elif self._is_wanted:
            self._take(self._external_address())
            self._update_address()
        else:
            self._stop()
            self._entry.async_create_background_task(
                self._hass,
                async_remove_cloudhook(self._hass, self._entry),
                f"{DOMAIN} webhook removal",
            )

    @callback
    def _stop(self) -> None:
        """Remove the webhook; what is being searched for comes too late."""
        self._searches += 1
        self._take(None)

    @callback
    def _take(self, address: str | None) -> None:
        """Use another address, or none."""
        self._address = address
        self._register()

    @callback
    def _register(self) -> None:
        """Register the webhook by the account's title, if there is an address."""
        title = None if self._address is None else self._entry.title
        if title == self._registered:
            return
        if self._registered is not None:
            webhook.async_unregister(self._hass, self._id)
        if title is not None:
            webhook.async_register(
                self._hass,
                DOMAIN,
                title,
                self._id,
                self._handle,
                allowed_methods=["GET", "POST"],
            )
        self._registered = title

    @property
    def _id(self) -> str:
        webhook_id: str = self._entry.data[CONF_WEBHOOK_ID]
        return webhook_id

    def _signed(self, reference: str) -> str:
        """Return a reference with its signature behind a dot.

        The user may have chosen the reference, so that it can be guessed.
        """
        key: str = self._entry.data[CONF_CALLBACK_KEY]
        signature = hmac.new(key.encode(), reference.encode(errors="replace"), sha256)
        return f"{reference}.{signature.hexdigest()[:_SIGNATURE_LENGTH]}"

    def _reference(self, signed: str) -> str | None:
        """Return the reference in a callback, None if the signature is not ours."""
        reference, _, _ = signed.rpartition(".")
        ours = self._signed(reference).encode(errors="replace")
        is_ours = hmac.compare_digest(ours, signed.encode(errors="replace"))
        return reference if is_ours else None

    async def _find_url(self) -> None:
        """Take the address: the cloud's, else the external one if it is https."""
        self._searches += 1
        this_search = self._searches
        address = _address(await self._cloudhook()) or self._external_address()
        if this_search == self._searches:
            # The result of an older search is out of date.
            self._take(address)
        elif not self._is_wanted:
            # The search has made what was removed meanwhile.
            await async_remove_cloudhook(self._hass, self._entry)

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
        """Read a callback and respond at once; it is processed afterwards."""
        if _is_hint(request) and _wants_incoming(self._entry):
            # Unsigned: what it says does not count, only that there may be something.
            self._messenger.incoming_hinted(self._entry.entry_id)
            return Response(status=HTTPStatus.OK)
        reference = self._reference(request.query.get(_SUBMISSION, ""))
        if reference is None:
            self._ignore_unsigned()
            return Response(status=HTTPStatus.OK)
        body = bytearray()
        while chunk := await request.content.read(_MAX_BODY_BYTES + 1 - len(body)):
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                self.ignored += 1
                return Response(status=HTTPStatus.OK)
        self._entry.async_create_background_task(
            hass,
            self._process(reference, bytes(body)),
            f"{DOMAIN} delivery callback",
        )
        return Response(status=HTTPStatus.OK)

    def _ignore_unsigned(self) -> None:
        """Count a callback that is not a provider's; log the 1st, 10th, 100th, ..."""
        self.ignored += 1
        self.unsigned += 1
        if str(self.unsigned).rstrip("0") == "1":
            _LOGGER.warning(
                "%s: callbacks without a signed reference are ignored: %d so far",
                self._entry.title,
                self.unsigned,
            )

    async def _process(self, reference: str, body: bytes) -> None:
        if await self._messenger.callback(self._entry.entry_id, reference, body):
            self.heard += 1
        else:
            self.ignored += 1

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
        """Find the address again, in the background, if it is wanted."""
        if not self._is_wanted:
            return
        self._entry.async_create_background_task(
            self._hass, self._find_url(), f"{DOMAIN} webhook address"
        )


def _can_report(entry: SmsItaliaConfigEntry) -> bool:
    """Return whether the provider of an account can report delivery by itself."""
    features = PROVIDERS[entry.data[CONF_PROVIDER]].capabilities.features
    return Feature.DELIVERY_PUSH in features


def _can_receive(entry: SmsItaliaConfigEntry) -> bool:
    """Return whether the provider of an account can receive SMS."""
    features = PROVIDERS[entry.data[CONF_PROVIDER]].capabilities.features
    return Feature.RECEIVE in features


def _wants_incoming(entry: SmsItaliaConfigEntry) -> bool:
    """Return whether SMS to an account are searched for."""
    return bool(entry.options.get(CONF_RECEIVE, False)) and _can_receive(entry)


def _wants_webhook(entry: SmsItaliaConfigEntry) -> bool:
    """Return whether an account uses its webhook at all."""
    return _wants_callbacks(entry) or _wants_incoming(entry)


def _is_hint(request: Request) -> bool:
    """Return whether a request can be the provider's call about an incoming SMS."""
    return (
        request.method == "GET"
        and _NUMBER in request.query
        and _SUBMISSION not in request.query
    )


def _wants_callbacks(entry: SmsItaliaConfigEntry) -> bool:
    """Return whether the provider of an account is to report delivery by itself."""
    chosen = entry.options.get(CONF_DELIVERY_REPORTS, DeliveryReports.AUTO)
    return chosen == DeliveryReports.AUTO and _can_report(entry)


def _address(url: str | None) -> str | None:
    """Return the URL that a reference is appended to, None unless it is https."""
    found = URL(url) if url else None
    if found is None or found.scheme != "https":
        return None
    return str(found.update_query({_SUBMISSION: ""}))


async def async_remove_cloudhook(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry
) -> None:
    """Delete the cloud's address of an account's webhook, if there is one."""
    if CONF_WEBHOOK_ID not in entry.data or CLOUD not in hass.config.components:
        return
    from homeassistant.components import cloud  # noqa: PLC0415 - loaded already

    try:
        await cloud.async_delete_cloudhook(hass, entry.data[CONF_WEBHOOK_ID])
    except Exception as err:  # noqa: BLE001 - the account must be removed all the same
        _LOGGER.debug("No address in the cloud to delete: %s", type(err).__name__)
