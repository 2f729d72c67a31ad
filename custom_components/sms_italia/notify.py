"""The notify entities of recipients, and the legacy notify action of an account."""

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

# The messenger limits the parallel requests; an alert to four people must not wait for
# three timeouts first.
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
    """The notify entity that sends to all numbers of a recipient."""

    _attr_supported_features = NotifyEntityFeature.TITLE
    _attr_name = None

    def __init__(
        self,
        hass: HomeAssistant,
        entry: SmsItaliaConfigEntry,
        subentry: ConfigSubentry,
    ) -> None:
        """Set up the entity of a recipient."""
        super().__init__(hass, entry, subentry, "notify")

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Send; raises a translated HomeAssistantError if no message was accepted."""
        await send(
            self.hass,
            self.entry,
            Request(message=message, title=title),
            await recipient_targets(self.hass, self.entry, self.recipient),
        )

    @callback
    def record_notification(self) -> None:
        """Record a message that was sent by another action."""
        self._async_record_notification()


class AccountNotificationService(BaseNotificationService):
    """The action `notify.<account>`, which core's `alert` and older automations call.

    We register it ourselves, because the discovery of the notify component may run
    past an unload and keeps every service object. The base class does not replace an
    action with the same name, but it would remove one.
    """

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the action of an account."""
        self._entry = entry

    @override
    async def async_register_services(self) -> None:
        """Register the action unless another integration uses its name."""
        if self.hass.services.has_service(NOTIFY_DOMAIN, self._service_name):
            _LOGGER.warning(
                "The action notify.%s exists already and is left alone; rename the "
                "account to have one for it",
                self._service_name,
            )
        await super().async_register_services()

    @override
    async def async_unregister_services(self) -> None:
        """Remove the action unless another integration uses its name."""
        actions = self.hass.services.async_services_for_domain(NOTIFY_DOMAIN)
        action = actions.get(self._service_name)
        if action and action.job.target == self._async_notify_message_service:
            await super().async_unregister_services()

    @override
    async def async_send_message(self, message: str, **kwargs: Any) -> None:
        """Send to the targets; without targets and groups, to all recipients.

        Raises a translated HomeAssistantError if no message was accepted.
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
