"""The notify entities of recipients, and the legacy notify action of an account."""

import logging
from typing import override

from homeassistant.components.notify import (
    ATTR_DATA,
    ATTR_MESSAGE,
    ATTR_TARGET,
    ATTR_TITLE,
    DOMAIN as NOTIFY_DOMAIN,
    BaseNotificationService,
    NotifyEntity,
    NotifyEntityFeature,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import slugify

from .entity import RecipientEntity, async_add_recipients
from .messaging import BadTarget, SendRequest, Target, TooLong, join_title
from .runtime import SmsItaliaConfigEntry
from .sending import (
    SendingCall,
    named_targets,
    raise_unless_accepted,
    read_shared_options,
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
    async_add_recipients(hass, entry, async_add_entities, RecipientNotifyEntity)
    service = AccountNotificationService(entry)
    name = slugify(entry.title)
    await service.async_setup(hass, name, name)
    await service.async_register_services()
    entry.async_on_unload(service.async_unregister_services)

    @callback
    def follow_title() -> None:
        hass.async_create_task(service.async_follow_title())

    coordinator = entry.runtime_data.coordinator
    entry.async_on_unload(coordinator.async_add_listener(follow_title))


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
        super().__init__(hass, entry, subentry, "sms")

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Send; raises a translated HomeAssistantError if no message was accepted."""
        request = SendRequest(
            account=self.entry.entry_id,
            targets=self.entry.runtime_data.account.recipients[self.recipient],
            text=join_title(title, message) if title else message,
            too_long=TooLong.CUT,
        )
        with SendingCall(self.hass, self._context, self.entry) as call:
            raise_unless_accepted(self.hass, await call.send(self.entry, request))

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

    async def async_follow_title(self) -> None:
        """Rename the action if the account has another title now."""
        name = slugify(self._entry.title)
        if name != self._service_name:
            await self.async_unregister_services()
            self._service_name = name
            await self.async_register_services()

    @override
    async def async_unregister_services(self) -> None:
        """Remove the action unless another integration uses its name."""
        actions = self.hass.services.async_services_for_domain(NOTIFY_DOMAIN)
        action = actions.get(self._service_name)
        if action and action.job.target == self._async_notify_message_service:
            await super().async_unregister_services()

    @override
    async def _async_notify_message_service(self, service: ServiceCall) -> None:
        """Send for a call; the base class would not say who makes it.

        Raises a translated HomeAssistantError if no message was accepted.
        """
        if is_phone_command(service.data[ATTR_MESSAGE]):
            return
        with SendingCall(self.hass, service.context, self._entry) as call:
            request = await self._request(service)
            raise_unless_accepted(self.hass, await call.send(self._entry, request))

    async def _request(self, service: ServiceCall) -> SendRequest:
        """Return the request of a call.

        To the targets; without targets, to all recipients.
        """
        entry, data = self._entry, service.data
        account = entry.runtime_data.account
        options = await read_shared_options(
            self.hass, account, data.get(ATTR_DATA) or {}, service.context
        )
        names = data.get(ATTR_TARGET)
        targets: list[Target | BadTarget] = []
        if names is not None:
            targets = await named_targets(self.hass, entry, names)
        else:
            for of_recipient in account.recipients.values():
                targets += of_recipient
        return SendRequest(
            account=entry.entry_id,
            targets=tuple(targets),
            text=join_title(data.get(ATTR_TITLE), data[ATTR_MESSAGE]),
            options=options,
            too_long=TooLong.CUT,
        )


_PHONE_COMMANDS = frozenset(
    {"clear_notification", "delete_alert", "request_location_update"}
)


def is_phone_command(message: str) -> bool:
    """Return whether a message is one to the companion app, and no text for people.

    https://companion.home-assistant.io/docs/notifications/notification-commands
    """
    word = message.strip()
    is_command = word.startswith("command_") and len(word.split()) == 1
    return word in _PHONE_COMMANDS or is_command
