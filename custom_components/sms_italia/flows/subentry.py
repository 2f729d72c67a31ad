"""What the flows of recipients and escalations have in common."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import (
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.core import callback


class SubentryFlow(ConfigSubentryFlow):
    """Adds a recipient or an escalation to an account, or changes one."""

    @callback
    def _change(
        self,
        subentry: ConfigSubentry,
        *,
        title: str,
        data: Mapping[str, Any],
        reason: str = "reconfigure_successful",
    ) -> SubentryFlowResult:
        """Store what was changed, and end with a text of ours.

        That of core's own method exists in some languages only, and no older release
        of Home Assistant lets a subentry choose another.
        """
        self.hass.config_entries.async_update_subentry(
            self._get_entry(), subentry, title=title, data=data
        )
        return self.async_abort(reason=reason)
