"""The entities that a call of an action targets."""

from collections.abc import Callable, Collection, Set as AbstractSet
from dataclasses import dataclass

from homeassistant.const import ATTR_ENTITY_ID, ENTITY_MATCH_ALL
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers import target
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)

from ..rights import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Targeted:
    """The IDs of the entities that a call targets, and of those that it names."""

    found: AbstractSet[str]
    named: AbstractSet[str] = frozenset()


@callback
def async_find_targets(
    call: ServiceCall, caller: Caller, ours: Collection[str]
) -> Targeted:
    """Return which entities a call targets, whatever integration they are of.

    `entity_id: all` means `ours`: as in Home Assistant, those that the caller may
    control and that the call does not exclude. Raises Unauthorized if there are some,
    but none that the caller may control.
    """
    selection = TargetSelection(call.data)
    if call.data.get(ATTR_ENTITY_ID) == ENTITY_MATCH_ALL:
        return Targeted(
            found=caller.controllable(ours) - _excluded(call.hass, selection)
        )
    selected = async_extract_referenced_entity_ids(
        call.hass, selection, primary_entities_only=False
    )
    return Targeted(
        found=selected.referenced | selected.indirectly_referenced,
        named=selected.referenced,
    )


def _excluded(hass: HomeAssistant, selection: TargetSelection) -> AbstractSet[str]:
    """Return the IDs of the entities that a call excludes; older releases know none."""
    extract: Callable[[HomeAssistant, TargetSelection], AbstractSet[str]] | None = (
        getattr(target, "async_extract_excluded_entity_ids", None)
    )
    return frozenset() if extract is None else extract(hass, selection)
