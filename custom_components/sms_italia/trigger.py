"""The triggers of automations: each is a class that picks from the news."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, cast, override

from homeassistant.const import CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
from homeassistant.helpers.trigger import (
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .const import DOMAIN, SUBENTRY_TYPE_ESCALATION, SUBENTRY_TYPE_RECIPIENT
from .event import event_attributes, event_type_of, received_attributes
from .messaging import (
    DailyLimitReached,
    DayChanged,
    DoubtLasted,
    Message,
    MessagesChanged,
    MessagesReceived,
    RunEvent,
    RunNews,
)
from .names import title_of
from .news import NEWS, CreditBecameLow, News
from .providers import Status
from .runtime import MESSENGER

_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_TARGET): cv.TARGET_FIELDS,
        vol.Optional(CONF_OPTIONS, default={}): {},
    }
)

_INCLUDE_TEXT = "include_text"
_RECEIVED_SCHEMA = _SCHEMA.extend(
    {
        vol.Optional(CONF_OPTIONS, default={}): {
            vol.Optional(_INCLUDE_TEXT, default=False): cv.boolean
        }
    }
)

type _Data = dict[str, str | int | float | None]
type _Source = tuple[str, str | None]
"""An account and one of its recipients or escalations; None for the account itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """That a trigger fires, if its target has one of the sources.

    `data` is what the automation reads in `trigger`.
    """

    sources: frozenset[_Source]
    data: _Data


def _sources_of(account: str, *subentries: str | None) -> frozenset[_Source]:
    """Return an account and those of its recipients or escalations that are known."""
    return frozenset({(account, None), *((account, one) for one in subentries)})


class NewsTrigger(Trigger):
    """Fires on news of the accounts, recipients and escalations among its target.

    One of an account's entities, or its device, stands for the account with all its
    recipients and escalations; one of a recipient's for the recipient alone. Besides
    accounts, the target may have subentries of the types that there is news of.
    """

    _description: ClassVar[str]
    _subentry_types: ClassVar[frozenset[str]] = frozenset()
    _schema: ClassVar[vol.Schema] = _SCHEMA

    @override
    @classmethod
    async def async_validate_config(
        cls, hass: HomeAssistant, config: ConfigType
    ) -> ConfigType:
        """Return a valid configuration.

        Raises vol.Invalid, and a translated ServiceValidationError if the target names
        what never triggers.
        """
        valid = cast(ConfigType, cls._schema(config))
        target = TargetSelection(valid[CONF_TARGET])
        for name, subentry_type in _named_subentries(hass, target):
            if subentry_type not in cls._subentry_types:
                raise ServiceValidationError(
                    translation_domain=DOMAIN,
                    translation_key=f"never_triggers_for_{subentry_type}",
                    translation_placeholders={"target": name},
                )
        return valid

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Set up the trigger for a target."""
        super().__init__(hass, config)
        self._target = TargetSelection(config.target or {})

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Run the action on news; return how to stop that."""

        @callback
        def handle_news(news: News) -> None:
            firings = list(self.firings_of(news))
            targets = self._targets() if firings else frozenset()
            for one in firings:
                if targets & one.sources:
                    run_action(dict(one.data), self._description)

        return async_dispatcher_connect(self._hass, NEWS, handle_news)

    @abstractmethod
    def firings_of(self, news: News) -> Iterable[Firing]:
        """Return each time that the trigger fires on news, for any target."""

    def _targets(self) -> frozenset[_Source]:
        """Return the accounts and subentries of the target, as it is now."""
        selected = async_extract_referenced_entity_ids(
            self._hass, self._target, expand_group=False
        )
        registry = er.async_get(self._hass)
        entities = map(
            registry.async_get, selected.referenced | selected.indirectly_referenced
        )
        return frozenset(
            (entity.config_entry_id, entity.config_subentry_id)
            for entity in entities
            if entity and entity.platform == DOMAIN and entity.config_entry_id
        )


def _named_subentries(
    hass: HomeAssistant, target: TargetSelection
) -> Iterator[tuple[str, str]]:
    """Go over the subentries whose entities or devices a target names.

    With what it is called there, and its type.
    """
    entities = er.async_get(hass)
    for entity_id in target.entity_ids:
        entity = entities.async_get(entity_id)
        if entity is not None and entity.platform == DOMAIN:
            ids = entity.config_entry_id, entity.config_subentry_id
            if (found := _type_of_subentry(hass, *ids)) is not None:
                yield entity_id, found
    devices = dr.async_get(hass)
    for device_id in target.device_ids:
        device = devices.async_get(device_id)
        if device is not None:
            ids = device.config_entry_id, device.config_subentry_id
            if (found := _type_of_subentry(hass, *ids)) is not None:
                yield device.name_by_user or device.name or device_id, found


def _type_of_subentry(
    hass: HomeAssistant, entry_id: str | None, subentry_id: str | None
) -> str | None:
    """Return the type of a subentry of ours, None for an account and for others."""
    entry = hass.config_entries.async_get_entry(entry_id or "")
    if entry is None or entry.domain != DOMAIN:
        return None
    subentry = entry.subentries.get(subentry_id or "")
    return None if subentry is None else subentry.subentry_type


class _MessageTrigger(NewsTrigger):
    """Fires once for each message that comes to one of some ends.

    A doubt is one when it has lasted, as everywhere that it is reported. A call of an
    escalation is a message of the member and of the escalation.
    """

    _event_types: ClassVar[frozenset[str]]
    _subentry_types = frozenset({SUBENTRY_TYPE_RECIPIENT, SUBENTRY_TYPE_ESCALATION})

    @override
    def firings_of(self, news: News) -> Iterable[Firing]:
        """Return the messages whose status is one of these now."""
        for message in _ended(news):
            if (event_type := event_type_of(message)) in self._event_types:
                yield Firing(
                    sources=self._sources(message),
                    data={
                        **event_attributes(self._hass, message),
                        "status": event_type,
                    },
                )

    def _sources(self, message: Message) -> frozenset[_Source]:
        """Return the account, the recipient and the escalation of a message."""
        dispatch = message.dispatch
        sources = _sources_of(dispatch.account, message.recipient)
        if dispatch.run is None:
            return sources
        plan = self._hass.data[MESSENGER].escalations.plan_of(dispatch.run)
        return sources if plan is None else sources | {(plan.account, plan.id)}


def _ended(news: News) -> Iterable[Message]:
    """Return the messages that have come to an end, or to a doubt that has lasted."""
    match news:
        case MessagesChanged(status_changed=changed):
            return [one for one in changed if one.status is not Status.UNCERTAIN]
        case DoubtLasted(messages=doubts):
            return doubts
        case _:
            return ()


class MessageDelivered(_MessageTrigger):
    """Fires when a message was delivered."""

    _event_types = frozenset({Status.DELIVERED})
    _description = "SMS delivered"


class MessageNotDelivered(_MessageTrigger):
    """Fires when a message failed or expired, or is uncertain for a minute.

    Not when its user cancelled it.
    """

    _event_types = frozenset({Status.FAILED, Status.EXPIRED, Status.UNCERTAIN})
    _description = "SMS not delivered"


class MessageReceived(NewsTrigger):
    """Fires when an SMS comes in; its text is given only if the option says so.

    What a trigger gives is kept in the traces of automations.
    """

    _description = "SMS received"
    _schema = _RECEIVED_SCHEMA
    _subentry_types = frozenset({SUBENTRY_TYPE_RECIPIENT})

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Set up the trigger for a target, with or without texts."""
        super().__init__(hass, config)
        self._includes_text = bool((config.options or {}).get(_INCLUDE_TEXT))

    @override
    def firings_of(self, news: News) -> Iterable[Firing]:
        """Return the SMS that came in."""
        if not isinstance(news, MessagesReceived):
            return
        for message in news.messages:
            data: _Data = {
                "account": title_of(self._hass, news.account),
                **received_attributes(self._hass, news.account, message),
            }
            if self._includes_text:
                data["text"] = message.text
            sources = _sources_of(news.account, message.recipient)
            yield Firing(sources=sources, data=data)


class CreditBecameLowTrigger(NewsTrigger):
    """Fires when the credit of an account falls below its limit."""

    _description = "SMS credit became low"

    @override
    def firings_of(self, news: News) -> Iterable[Firing]:
        """Return the account whose credit became low."""
        if isinstance(news, CreditBecameLow):
            data: _Data = {"account": title_of(self._hass, news.account)}
            yield Firing(sources=_sources_of(news.account), data=data)


class DailyLimitReachedTrigger(NewsTrigger):
    """Fires on the first message that the daily limit refuses, each day.

    And once more if the limit was changed and is reached again.
    """

    _description = "SMS daily limit reached"

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Set up the trigger; no limit was reached yet."""
        super().__init__(hass, config)
        self._reached: dict[str, int] = {}

    @override
    def firings_of(self, news: News) -> Iterable[Firing]:
        """Return the account whose limit was reached."""
        if isinstance(news, DayChanged):
            self._reached.pop(news.account, None)
        if not isinstance(news, DailyLimitReached):
            return
        if self._reached.get(news.account) != news.limit:
            self._reached[news.account] = news.limit
            title = title_of(self._hass, news.account)
            data: _Data = {"account": title, "limit": news.limit}
            yield Firing(sources=_sources_of(news.account), data=data)


class EscalationExhausted(NewsTrigger):
    """Fires when an escalation has nobody left to call, and nobody acknowledged."""

    _description = "SMS escalation exhausted"
    _subentry_types = frozenset({SUBENTRY_TYPE_ESCALATION})

    @override
    def firings_of(self, news: News) -> Iterable[Firing]:
        """Return the escalation that is exhausted."""
        if isinstance(news, RunNews) and news.event is RunEvent.EXHAUSTED:
            plan = news.run.plan
            data: _Data = {
                "account": title_of(self._hass, plan.account),
                "escalation": plan.name,
            }
            yield Firing(sources=_sources_of(plan.account, plan.id), data=data)


_TRIGGERS: dict[str, type[Trigger]] = {
    "message_delivered": MessageDelivered,
    "message_not_delivered": MessageNotDelivered,
    "message_received": MessageReceived,
    "credit_became_low": CreditBecameLowTrigger,
    "daily_limit_reached": DailyLimitReachedTrigger,
    "escalation_exhausted": EscalationExhausted,
}


async def async_get_triggers(_hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers by their keys."""
    return _TRIGGERS
