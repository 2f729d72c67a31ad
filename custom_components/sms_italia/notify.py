"""Notify entities of recipients, and the classic notify action of an account."""

import logging
from typing import Any, override

from homeassistant.components.notify import (
    ATTR_DATA,
    ATTR_TARGET,
    ATTR_TITLE,
    DOMAIN as NOTIFY_DOMAIN,
    BaseNotificationService,
    NotifyEntity,
    NotifyEntityFeature,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import slugify

from .const import SUBENTRY_TYPE_RECIPIENT
from .entity import RecipientEntity
from .runtime import SmsItaliaConfigEntry
from .sending import (
    Request,
    named_targets,
    read_request,
    recipient_targets,
    send,
)

# The messenger bounds the requests on the wire; an alert to four people should not
# wait for three timeouts first.
PARALLEL_UPDATES = 0

_LOGGER = logging.getLogger(__name__)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the recipients' entities and the account's action."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT):
        async_add_entities(
            [RecipientNotifyEntity(hass, entry, subentry)],
            config_subentry_id=subentry.subentry_id,
        )
    service = AccountNotificationService(entry)
    name = slugify(entry.title)
    await service.async_setup(hass, name, name)
    await service.async_register_services()
    entry.async_on_unload(service.async_unregister_services)


class RecipientNotifyEntity(RecipientEntity, NotifyEntity):
    """Sends to all numbers of a recipient."""

    _attr_supported_features = NotifyEntityFeature.TITLE
    _attr_name = None

    def __init__(
        self,
        hass: HomeAssistant,
        entry: SmsItaliaConfigEntry,
        subentry: ConfigSubentry,
    ) -> None:
        """Stand for a recipient."""
        super().__init__(hass, entry, subentry, "notify")

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Send an SMS; raises a translated HomeAssistantError if none was taken."""
        await send(
            self.hass,
            self.entry,
            Request(message=message, title=title),
            await recipient_targets(self.hass, self.entry, self.recipient),
        )

    @callback
    def record_notification(self) -> None:
        """Show that a message went out by another action."""
        self._async_record_notification()


class AccountNotificationService(BaseNotificationService):
    """The action `notify.<account>`, which core's `alert` and older automations call.

    It is registered by ourselves and not by the notify component's discovery, whose
    task could outlive an unload, and which keeps each service ever made. A name that
    is taken is left alone by the base class when it registers, but not when it
    unregisters.
    """

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Send for the account of a config entry."""
        self._entry = entry

    @override
    async def async_register_services(self) -> None:
        """Register the action; a name that belongs to somebody else is left to them."""
        if self.hass.services.has_service(NOTIFY_DOMAIN, self._service_name):
            _LOGGER.warning(
                "The action notify.%s exists already and is left alone; rename the "
                "account to have one for it",
                self._service_name,
            )
        await super().async_register_services()

    @override
    async def async_unregister_services(self) -> None:
        """Remove the action, unless its name belongs to somebody else."""
        actions = self.hass.services.async_services_for_domain(NOTIFY_DOMAIN)
        action = actions.get(self._service_name)
        if action and action.job.target == self._async_notify_message_service:
            await super().async_unregister_services()

    @override
    async def async_send_message(self, message: str, **kwargs: Any) -> None:
        """Send to the targets, or to all recipients where neither they nor groups are.

        Raises a translated HomeAssistantError if nothing was taken.
        """
        entry = self._entry
        request = await read_request(
            self.hass, message, kwargs.get(ATTR_TITLE), kwargs.get(ATTR_DATA) or {}
        )
        names = kwargs.get(ATTR_TARGET)
        if names is None and request.wishes.groups:
            targets = []
        elif names is None:
            targets = [
                target
                for recipient in entry.runtime_data.account.recipients
                for target in await recipient_targets(self.hass, entry, recipient)
            ]
        else:
            targets = await named_targets(self.hass, entry, names)
        await send(self.hass, entry, request, targets)
