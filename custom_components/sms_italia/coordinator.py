"""Keeps an account's credit current and notices when its credentials fail."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
import logging
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .errors import provider_error_key
from .messaging.account import Account
from .messaging.book import (
    CredentialsRefused,
    CreditChanged,
    CreditTold,
    Event,
    MessagesChanged,
    TotalsChanged,
)
from .providers.client import Feature
from .providers.errors import NotAcceptedError, ProviderError
from .providers.model import Channel, Credit, ErrorKind, MessageType

_LOGGER = logging.getLogger(__name__)

_INTERVAL = timedelta(hours=1)

CREDIT_FEATURES = frozenset(
    {Feature.CREDIT, Feature.CREDIT_IF_OFFERED, Feature.CREDIT_WITH_SEND}
)
"""With one of these, an account's credit is known sooner or later, and what it pays."""


class AccountCoordinator(DataUpdateCoordinator[Credit | None]):
    """Asks for the credit every hour and soon after each send.

    Where the provider has no such question, or not for this account, the credentials
    alone are proved, and the credit, if any, is what the answers to sends tell; None
    before the first. The Push plan, which is a question of its own, is asked about
    once an hour at most, and only where Push is used.
    """

    config_entry: ConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, account: Account
    ) -> None:
        """Ask nothing yet."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=account.name,
            update_interval=_INTERVAL,
            always_update=False,
        )
        self._account = account
        self._features = account.provider.capabilities.features
        self._can_ask = bool(
            self._features & {Feature.CREDIT, Feature.CREDIT_IF_OFFERED}
        )
        self._follows_push = account.channel is not Channel.SMS
        self._push_asked: datetime | None = None
        self.data = None

    @property
    def is_credit_low(self) -> bool | None:
        """Whether the credit is to be warned of, None if it is not known."""
        if self.data is None:
            return None
        return self._account.is_low(self.data.balance)

    @property
    def _is_push_due(self) -> bool:
        """Whether to ask about the Push plan, with the next question."""
        if Feature.PUSH_LEFT not in self._features or not self._follows_push:
            return False
        asked = self._push_asked
        # The timer of the hour fires a moment early or late.
        return asked is None or dt_util.utcnow() - asked > 0.9 * _INTERVAL

    @override
    async def _async_update_data(self) -> Credit | None:
        """Ask the provider; its refusals become translated errors."""
        try:
            return await self._ask()
        except ProviderError as err:
            placeholders = {"account": self._account.name}
            if isinstance(err, NotAcceptedError) and err.kind is ErrorKind.AUTH:
                raise ConfigEntryAuthFailed(
                    translation_domain=DOMAIN,
                    translation_key=provider_error_key(err),
                    translation_placeholders=placeholders,
                ) from None
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key=provider_error_key(err),
                translation_placeholders=placeholders,
                retry_after=err.retry_after
                if isinstance(err, NotAcceptedError)
                else None,
            ) from None

    async def _ask(self) -> Credit | None:
        """Prove the credentials; return the credit, as far as it is known then."""
        client = self._account.client
        if self._is_push_due:
            credit = await client.credit_with_push()
            self._push_asked = dt_util.utcnow()
            return credit
        if not self._can_ask:
            await client.validate()
            return self.data
        told = await client.check()
        if told is None:
            # It is not offered to this account: not asked again before a reload.
            self._can_ask = False
            return self.data
        if self.data is None:
            return told
        return replace(
            told, push_left=self.data.push_left, push_plan=self.data.push_plan
        )

    @callback
    def follow_push(self) -> None:
        """Ask about the Push plan from now on, where there is such a question."""
        self._follows_push = True

    @callback
    def restore_balance(self, balance: Decimal) -> None:
        """Set a balance of before a restart (euro) if the provider cannot be asked."""
        if self.data is None and Feature.CREDIT not in self._features:
            self.async_set_updated_data(Credit(balance=balance))

    @callback
    def take_in(self, event: Event) -> None:
        """Follow what sends tell of the credit and the credentials."""
        match event:
            case CreditTold(balance=balance):
                known = self.data or Credit(balance=balance)
                self.async_set_updated_data(replace(known, balance=balance))
            case CreditChanged():
                if Feature.CREDIT in self._features:
                    self._ask_soon()
            case CredentialsRefused():
                self.config_entry.async_start_reauth(self.hass)
            case MessagesChanged(messages=messages):
                if not self._follows_push and any(
                    one.type is MessageType.PUSH and one.carrier == self._account.id
                    for one in messages
                ):
                    self.follow_push()
                    self._ask_soon()
            case TotalsChanged():
                pass

    @callback
    def _ask_soon(self) -> None:
        """Ask at once, or in some seconds if it was asked just now."""
        self.config_entry.async_create_background_task(
            self.hass, self.async_request_refresh(), "sms_italia credit"
        )
