"""The tool of Assist that sends an SMS to a recipient.

Where Home Assistant has no results of tools yet, there is none.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import time
from typing import override

from homeassistant.components.homeassistant import async_should_expose
from homeassistant.components.llm import LLMTools
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er, intent, llm
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.json import JsonObjectType
import voluptuous as vol

from .const import DOMAIN
from .messaging import Message, SendRequest, TooLong
from .notify import RecipientNotifyEntity, loaded_entities
from .sending import SendingCall, raise_unless_accepted

_MOST = 5
_SECONDS = 600

_RECIPIENT = "recipient"
_MESSAGE = "message"


@dataclass(slots=True)
class _Brake:
    """Lets at most 5 messages through in 10 minutes, whoever asks for them."""

    _sent: deque[float] = field(default_factory=deque)

    @callback
    def take(self, count: int) -> bool:
        """Return whether so many messages may be sent now, and count them."""
        now = time.monotonic()
        while self._sent and self._sent[0] <= now - _SECONDS:
            self._sent.popleft()
        if len(self._sent) + count > _MOST:
            return False
        self._sent.extend([now] * count)
        return True


_BRAKE: HassKey[_Brake] = HassKey(f"{DOMAIN}_assist_brake")


class SendSmsTool(llm.Tool):
    """Sends a text to a recipient that is exposed to the assistant.

    The model gets names and statuses: no number, and no text but its own.
    """

    name = f"{DOMAIN}__send_sms"
    title = "Send an SMS"
    description = (
        "Sends a text message (SMS) to the phone of a person. Use it only when the "
        "user asks to send or write a message to that person. It costs money."
    )
    integration = DOMAIN

    def __init__(self, names: Sequence[str]) -> None:
        """Set up the tool for the recipients of these names."""
        self.parameters = vol.Schema(
            {
                vol.Required(_RECIPIENT): vol.In(names),
                vol.Required(_MESSAGE): vol.All(str, vol.Length(min=1)),
            }
        )

    @override
    async def async_call(
        self,
        hass: HomeAssistant,
        tool_input: llm.ToolInput,
        llm_context: llm.LLMContext,
    ) -> llm.ToolResult:
        """Send, and return the status of each message or why there is none."""
        args = self.parameters(tool_input.tool_args)
        # What is exposed may have changed since the model got its tools.
        found = _recipients(hass, llm_context).get(args[_RECIPIENT], ())
        if not found:
            return _refused("unknown_recipient")
        if len(found) > 1:
            return _refused("several_recipients_of_this_name")
        recipient = found[0]
        request = _request(recipient, args[_MESSAGE])
        brake = hass.data.setdefault(_BRAKE, _Brake())
        if not brake.take(len(request.targets)):
            return _refused("too_many_messages_in_ten_minutes")
        entry, context = recipient.entry, llm_context.context
        try:
            with SendingCall(hass, context, entry, is_spoken=True) as call:
                permitted = await call.permit(entry, request)
                messages = await call.send(entry, permitted)
                raise_unless_accepted(hass, messages)
        except HomeAssistantError as err:
            # Its sentence may have digits of a number.
            return _refused(err.translation_key or type(err).__name__)
        recipient.record_notification()
        return llm.ToolResult(data=_answer(args[_RECIPIENT], messages))


def _request(recipient: RecipientNotifyEntity, text: str) -> SendRequest:
    """Return the request to send a text to all numbers of a recipient."""
    account = recipient.entry.runtime_data.account
    return SendRequest(
        account=account.id,
        targets=account.recipients[recipient.subentry_id],
        text=text,
        too_long=TooLong.CUT,
    )


def _answer(name: str, messages: Sequence[Message]) -> JsonObjectType:
    """Return what the model gets of the messages to a recipient."""
    return {_RECIPIENT: name, "status": [one.status.value for one in messages]}


def _refused(reason: str) -> llm.ToolResult:
    return llm.ToolResult(data={"error": reason}, error=True)


@callback
def _recipients(
    hass: HomeAssistant, llm_context: llm.LLMContext
) -> Mapping[str, Sequence[RecipientNotifyEntity]]:
    """Return the exposed recipients by each of their names."""
    registry = er.async_get(hass)
    found: dict[str, list[RecipientNotifyEntity]] = {}
    for entity_id, entity in sorted(loaded_entities(hass).items()):
        state = hass.states.get(entity_id)
        if state is None or not async_should_expose(
            hass, llm_context.assistant, entity_id
        ):
            continue
        names = intent.async_get_entity_aliases(
            hass, registry.async_get(entity_id), state=state
        )
        for name in dict.fromkeys(names):
            found.setdefault(name, []).append(entity)
    return found


@callback
def async_get_tools(
    hass: HomeAssistant, llm_context: llm.LLMContext, api_id: str
) -> LLMTools | None:
    """Return the tool if a recipient is exposed."""
    if api_id != llm.LLM_API_ASSIST or not hasattr(llm, "ToolResult"):
        return None
    names = list(_recipients(hass, llm_context))
    return LLMTools(tools=[SendSmsTool(names)]) if names else None
