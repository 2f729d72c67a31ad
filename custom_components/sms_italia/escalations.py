"""Escalations between Home Assistant and the messenger: plans, members, answers."""

from collections.abc import Iterable, Iterator

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.translation import async_get_translations

from .const import (
    CONF_FALLBACK,
    CONF_MEMBERS,
    CONF_NUMBERS,
    CONF_QUIET,
    CONF_ROUNDS,
    CONF_TELL_OTHERS,
    CONF_UNTIL,
    CONF_WAIT,
    DOMAIN,
    SUBENTRY_TYPE_ESCALATION,
    SUBENTRY_TYPE_RECIPIENT,
)
from .messaging import Acknowledgement, Member, MemberDetails, Plan, Until, Way
from .rights import Caller
from .runtime import MESSENGER, SmsItaliaConfigEntry

_MEMBER_ACCOUNT = "config_entry_id"
_MEMBER_RECIPIENT = "subentry_id"


def members_of(subentry: ConfigSubentry) -> tuple[Member, ...]:
    """Return the members of an escalation in their order."""
    return tuple(
        Member(account=one[_MEMBER_ACCOUNT], recipient=one[_MEMBER_RECIPIENT])
        for one in subentry.data[CONF_MEMBERS]
    )


def members_as_data(members: Iterable[Member]) -> list[dict[str, str]]:
    """Return members as they are stored in an escalation's subentry."""
    return [
        {_MEMBER_ACCOUNT: one.account, _MEMBER_RECIPIENT: one.recipient}
        for one in members
    ]


@callback
def async_find_member(hass: HomeAssistant, member: Member) -> MemberDetails | None:
    """Return what is known of a member, loaded or not.

    None if the recipient was removed, or its account removed or disabled.
    """
    entry = hass.config_entries.async_get_entry(member.account)
    if entry is None or entry.disabled_by is not None:
        return None
    subentry = entry.subentries.get(member.recipient)
    if subentry is None or subentry.subentry_type != SUBENTRY_TYPE_RECIPIENT:
        return None
    return MemberDetails(
        name=subentry.title,
        numbers=tuple(subentry.data[CONF_NUMBERS]),
        fallback=tuple(entry.options.get(CONF_FALLBACK, ())),
    )


@callback
def async_recipient_entities(hass: HomeAssistant) -> dict[str, Member]:
    """Return the notify entities of all recipients of all accounts by their IDs."""
    return {
        entity.entity_id: Member(account=entry.entry_id, recipient=subentry_id)
        for entry, subentry_id, entity in _entities(hass, SUBENTRY_TYPE_RECIPIENT)
        if entity.domain == Platform.NOTIFY
    }


@callback
def async_escalation_entities(hass: HomeAssistant) -> dict[str, str]:
    """Return the IDs of the escalations of all entities that one has, by theirs."""
    return {
        entity.entity_id: subentry_id
        for _, subentry_id, entity in _entities(hass, SUBENTRY_TYPE_ESCALATION)
    }


def _entities(
    hass: HomeAssistant, subentry_type: str
) -> Iterator[tuple[SmsItaliaConfigEntry, str, er.RegistryEntry]]:
    """Go over the entities of subentries of a type, with their accounts and IDs."""
    registry = er.async_get(hass)
    for entry in hass.config_entries.async_entries(DOMAIN):
        ids = {one.subentry_id for one in entry.get_subentries_of_type(subentry_type)}
        for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
            subentry_id = entity.config_subentry_id
            if subentry_id in ids:
                yield entry, subentry_id, entity


@callback
def async_incomplete_escalations(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry
) -> list[str]:
    """Return the titles of an account's escalations that lack a member."""
    return [
        escalation.title
        for escalation in entry.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
        if any(
            async_find_member(hass, member) is None for member in members_of(escalation)
        )
    ]


async def async_read_plan(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, escalation_id: str
) -> Plan:
    """Return an escalation as its subentry says now."""
    subentry = entry.subentries[escalation_id]
    data = subentry.data
    return Plan(
        id=escalation_id,
        account=entry.entry_id,
        name=subentry.title,
        members=members_of(subentry),
        wait=data[CONF_WAIT] * 60,
        rounds=data[CONF_ROUNDS],
        until=Until(data[CONF_UNTIL]),
        quiet=data[CONF_QUIET] * 60,
        note=await _note(hass, subentry, "escalation_note"),
        note_of_delivery=await _note(hass, subentry, "escalation_note_of_delivery"),
    )


async def _note(hass: HomeAssistant, subentry: ConfigSubentry, key: str) -> str | None:
    """Return what an escalation's others are sent, None if that is not wanted."""
    if not subentry.data[CONF_TELL_OTHERS]:
        return None
    return (await _text(hass, key)).replace("{escalation}", subentry.title)


async def async_acknowledge(
    hass: HomeAssistant, escalation_id: str, way: Way, caller: Caller
) -> None:
    """Acknowledge an escalation in the caller's name, if somebody is being called."""
    escalations = hass.data[MESSENGER].escalations
    name = caller.user.name if caller.user else None
    who = name or await _text(hass, "home_assistant")
    by = Acknowledgement(way=way, who=who, read_until=escalations.now())
    await escalations.acknowledge(escalation_id, by)


async def _text(hass: HomeAssistant, key: str) -> str:
    texts = await async_get_translations(hass, hass.config.language, "common", {DOMAIN})
    return texts[f"component.{DOMAIN}.common.{key}"]


def acknowledgement_attributes(by: Acknowledgement | None) -> dict[str, str | None]:
    """Return who acknowledged and how, as attributes."""
    return {
        "acknowledged_by": by.who if by else None,
        "acknowledged_with": by.way.value if by else None,
    }
