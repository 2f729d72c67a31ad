"""The groups of notify entities that users make in Home Assistant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.const import CONF_ENTITIES
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

_GROUP = "group"
"""The integration whose helpers these are; they send without our options."""


@dataclass(slots=True)
class Expanded:
    """Entities, with the members of groups instead of these.

    `group_of` is the group of each member.
    """

    entities: set[str] = field(default_factory=set)
    group_of: dict[str, str] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)


@callback
def async_expand_groups(hass: HomeAssistant, entity_ids: Iterable[str]) -> Expanded:
    """Return entities with groups of notify entities replaced by their members.

    Also of groups within groups. A group that is disabled stays as it is.
    """
    expanded = Expanded()
    left = sorted(entity_ids)
    while left:
        entity_id = left.pop()
        members = _members(hass, entity_id)
        if members is None:
            expanded.entities.add(entity_id)
        elif entity_id not in expanded.groups:
            expanded.groups.add(entity_id)
            expanded.group_of |= dict.fromkeys(members, entity_id)
            left += members
    return expanded


def _members(hass: HomeAssistant, entity_id: str) -> list[str] | None:
    """Return the members of a group, None for anything else.

    Those that it is set up with: its state lacks them while it is not loaded.
    """
    registry = er.async_get(hass)
    group = registry.async_get(entity_id)
    if group is None or group.disabled or not _is_notify_group(group):
        return None
    entry = hass.config_entries.async_get_entry(group.config_entry_id or "")
    options: Mapping[str, list[str]] = entry.options if entry else {}
    return [
        er.async_resolve_entity_id(registry, member) or member
        for member in options.get(CONF_ENTITIES, ())
    ]


def _is_notify_group(entity: er.RegistryEntry) -> bool:
    return entity.platform == _GROUP and entity.domain == NOTIFY_DOMAIN
