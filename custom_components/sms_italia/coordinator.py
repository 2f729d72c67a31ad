"""Keeps an account's credit current and notices when its credentials fail."""

from datetime import timedelta
from decimal import Decimal
import logging
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

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
from .providers.model import Credit, ErrorKind

_LOGGER = logging.getLogger(__name__)

_INTERVAL = timedelta(hours=1)


class AccountCoordinator(DataUpdateCoordinator[Credit | None]):
    """Asks for the credit every hour and soon after each send.

    Where the provider has no such question, the credentials alone are proved, and
    the credit, if any, is what the answers to sends tell; None before the first.
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
        self.data = None

    @property
    def is_credit_low(self) -> bool | None:
        """Whether the credit is to be warned of, None if it is not known."""
        if self.data is None:
            return None
        return self._account.is_low(self.data.balance)

    @property
    def _can_ask(self) -> bool:
        return Feature.CREDIT in self._account.provider.capabilities.features

    @override
    async def _async_update_data(self) -> Credit | None:
        """Ask the provider; its refusals become translated errors."""
        client = self._account.client
        try:
            if self._can_ask:
                return await client.credit()
            await client.validate()
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
        return self.data

    @callback
    def remember(self, balance: Decimal) -> None:
        """Begin with a balance of before, in euro, where it cannot be asked for."""
        if self.data is None and not self._can_ask:
            self.async_set_updated_data(Credit(balance=balance))

    @callback
    def take_in(self, event: Event) -> None:
        """Follow what sends tell of the credit and the credentials."""
        match event:
            case CreditTold(balance=balance):
                sms_left = self.data.sms_left if self.data else None
                self.async_set_updated_data(Credit(balance=balance, sms_left=sms_left))
            case CreditChanged():
                if self._can_ask:
                    self.config_entry.async_create_background_task(
                        self.hass, self.async_request_refresh(), "sms_italia credit"
                    )
            case CredentialsRefused():
                self.config_entry.async_start_reauth(self.hass)
            case MessagesChanged() | TotalsChanged():
                pass
