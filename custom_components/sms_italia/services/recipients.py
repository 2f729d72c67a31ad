"""The recipients that a call of an action targets."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.target import TargetSelection

from ..const import DOMAIN
from ..escalations import async_escalation_entities, async_recipient_entities
from ..notify import RecipientNotifyEntity, loaded_entities
from ..reloads import async_wait_for_reloads
from ..rights import Caller
from ..runtime import SmsItaliaConfigEntry
from .groups import Expanded, async_expand_groups
from .targets import async_find_targets


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetedRecipients:
    """The entities of recipients, and the IDs of those that are not loaded."""

    entities: Sequence[RecipientNotifyEntity]
    missing: Sequence[str]

    def raise_for_missing(self) -> None:
        """Raise a translated HomeAssistantError if an entity is not loaded."""
        if self.missing:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="recipient_not_loaded",
                translation_placeholders={"entities": ", ".join(self.missing)},
            )


async def async_find_recipients(
    call: ServiceCall, caller: Caller, answer_by: float
) -> TargetedRecipients:
    """Return the recipients that a call targets; waits for accounts being reloaded.

    Until `answer_by`, a moment of the loop's clock, at the latest. Groups of notify
    entities stand for their members. An entity that is disabled is missing only if it
    is named, itself or by its group. Raises Unauthorized for a group that the caller
    may not control, ServiceValidationError for an entity that is named and is not a
    recipient's and for escalations alone, and as `async_find_targets`.
    """
    hass = call.hass
    if not TargetSelection(call.data).has_any_target:
        await async_wait_for_reloads(_accounts(call, ()), answer_by)
        return TargetedRecipients(entities=(), missing=())
    registry, of_recipients = er.async_get(hass), async_recipient_entities(hass)
    targeted = async_find_targets(call, caller, of_recipients)
    named = async_expand_groups(hass, targeted.named)
    found = async_expand_groups(hass, targeted.found - targeted.named)
    caller.require_entities(POLICY_CONTROL, sorted(named.groups | found.groups))
    wanted = named.entities | found.entities
    registered = {
        entity_id: entity
        for entity_id in wanted & of_recipients.keys()
        if (entity := registry.async_get(entity_id)) is not None
    }
    _raise_for_strangers(hass, named, registered.keys())
    if not registered:
        _raise_for_escalations(hass, wanted)
    await async_wait_for_reloads(_accounts(call, registered.values()), answer_by)
    loaded = loaded_entities(hass)
    return TargetedRecipients(
        entities=[one for one_id, one in loaded.items() if one_id in registered],
        missing=[
            entity_id
            for entity_id, entity in sorted(registered.items())
            if entity_id not in loaded
            and (entity_id in named.entities or not entity.disabled)
        ],
    )


def _raise_for_strangers(
    hass: HomeAssistant, named: Expanded, recipients: Collection[str]
) -> None:
    """Raise ServiceValidationError for a named entity that is not a recipient's."""
    strangers = sorted(named.entities.difference(recipients))
    _raise_for_escalations(
        hass, [one for one in strangers if one not in named.group_of]
    )
    for entity_id in strangers:
        group = named.group_of.get(entity_id)
        key = "not_a_recipient" if group is None else "group_with_stranger"
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders={"entity": entity_id}
            | ({} if group is None else {"group": group}),
        )


def _raise_for_escalations(hass: HomeAssistant, entity_ids: Iterable[str]) -> None:
    """Raise ServiceValidationError for the first entity of an escalation, if any."""
    of_escalations = async_escalation_entities(hass)
    for entity_id in sorted(of_escalations.keys() & set(entity_ids)):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="escalation_no_recipient",
            translation_placeholders={"entity": entity_id},
        )


def _accounts(
    call: ServiceCall, entities: Iterable[er.RegistryEntry]
) -> list[SmsItaliaConfigEntry]:
    """Return the accounts of entities, and the named or only one of a call."""
    entries = call.hass.config_entries.async_entries(DOMAIN)
    needed = {entity.config_entry_id for entity in entities}
    needed.add(call.data.get(ATTR_CONFIG_ENTRY_ID))
    return [one for one in entries if one.entry_id in needed or len(entries) == 1]
