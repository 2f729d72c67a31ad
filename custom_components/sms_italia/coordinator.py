"""Updates an account's credit; notices refused credentials and a demand for https."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
import logging
from typing import TYPE_CHECKING, override

from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .errors import provider_error_key
from .messaging import (
    Account,
    CallRefused,
    CredentialsRefused,
    CreditChanged,
    CreditProved,
    CreditReported,
    DailyLimitReached,
    DayChanged,
    DoubtLasted,
    Event,
    HttpsRequired,
    Message,
    MessagesChanged,
    MessagesReceived,
    SendAccepted,
    Target,
    TotalsChanged,
    UndeliveredChanged,
    WaitingChanged,
    WaitRequested,
)
from .providers import (
    Cause,
    Channel,
    Credit,
    ErrorKind,
    Feature,
    MessageType,
    NotAcceptedError,
    ProviderError,
)

_LOGGER = logging.getLogger(__name__)

if TYPE_CHECKING:
    from .runtime import SmsItaliaConfigEntry

_INTERVAL = timedelta(hours=1)
_FIRST_PAUSE = 60
"""Seconds until an unanswered question is asked again, doubling to an hour."""
_LONGEST_WAIT = 300
"""Seconds that a provider may ask for; after them it is asked all the same."""

CREDIT_FEATURES = frozenset(
    {Feature.CREDIT, Feature.CREDIT_IF_OFFERED, Feature.CREDIT_WITH_SEND}
)
"""With one of these, a provider reports the credit and the cost of an account."""


class AccountCoordinator(DataUpdateCoordinator[Credit | None]):
    """Asks for the credit every hour and soon after each send.

    An unanswered question is asked again after a minute, then ever more rarely. If the
    provider does not report the credit on request, or not to this account, only the
    credentials are checked. The credit is then what the responses to sends report; None
    before the first one. The Push plan takes a request of its own: at most one an
    hour, and only for accounts that use Push. The listeners are also notified when the
    account itself has changed.
    """

    config_entry: SmsItaliaConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: SmsItaliaConfigEntry, account: Account
    ) -> None:
        """Set up the coordinator; it sends no request yet."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=account.name,
            update_interval=_INTERVAL,
            always_update=False,
        )
        self._account = account
        self._settings = dict(entry.data)
        self._features = account.provider.capabilities.features
        self._can_ask = bool(
            self._features & {Feature.CREDIT, Feature.CREDIT_IF_OFFERED}
        )
        self._follows_push = account.channel is not Channel.SMS
        self._push_checked: datetime | None = None
        self._requires_https = False
        self._pause: float = _FIRST_PAUSE
        self._lacks_credit: bool | None = None
        self._url: str = entry.data[CONF_URL]
        self.data = None

    @property
    def requires_https(self) -> bool:
        """Return whether the server at the account's address demands https."""
        return self._requires_https

    @property
    def lacks_credit(self) -> bool | None:
        """Return whether the last message was refused because the credit is not enough.

        False if the credit has proved to be enough since, None if neither is known.
        """
        return self._lacks_credit

    @property
    def is_credit_low(self) -> bool | None:
        """Return whether the credit is not enough or below the limit.

        None if it is not known.
        """
        if self._lacks_credit or self.data is None:
            return self._lacks_credit
        return self._account.is_low(self.data.balance)

    @property
    def _is_push_due(self) -> bool:
        """Return whether the next request asks about the Push plan as well."""
        if Feature.PUSH_LEFT not in self._features or not self._follows_push:
            return False
        checked = self._push_checked
        # The hourly timer may fire a little early; the clock may have been set back.
        return checked is None or abs(dt_util.utcnow() - checked) > 0.9 * _INTERVAL

    @property
    def _first_number(self) -> str | None:
        """Return the number (E.164) of the account's first recipient."""
        recipients = self._account.recipients.values()
        targets = (target for some in recipients for target in some)
        numbers = (one.number.e164 for one in targets if isinstance(one, Target))
        return next(numbers, None)

    @override
    async def _async_update_data(self) -> Credit | None:
        """Ask the provider; raises a translated error if it does not answer."""
        asked = self._account
        try:
            credit = await self._ask()
        except ProviderError as err:
            is_current = asked.client is self._account.client
            if is_current and isinstance(err, NotAcceptedError):
                self._note_refusal(err)
            raise self._failure(err) from None
        self._note_https(is_required=False)
        self._pause = _FIRST_PAUSE
        if self._is_topped_up(credit):
            self._lacks_credit = False
        return credit

    def _note_refusal(self, err: NotAcceptedError) -> None:
        """Ask the user for what a refusal demands.

        The credit is still asked for every hour: whatever answers at the address may
        refuse credentials that are right. ConfigEntryAuthFailed would end that.
        """
        if err.cause is Cause.HTTPS_REQUIRED:
            self._note_https(is_required=True)
        if err.kind is ErrorKind.AUTH:
            self._ask_for_credentials()

    def _failure(self, err: ProviderError) -> UpdateFailed:
        """Return the translated error of a question that was not answered."""
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=provider_error_key(err),
            translation_placeholders={"account": self._account.name},
            retry_after=self._wait(err),
        )

    def _wait(self, err: ProviderError) -> float | None:
        """Return the seconds until the next question, None for the next hour.

        Wrong credentials may block an account if they are sent too often.
        """
        if isinstance(err, NotAcceptedError) and err.retry_after is not None:
            return min(err.retry_after, _LONGEST_WAIT)
        if isinstance(err, NotAcceptedError) and err.kind is ErrorKind.AUTH:
            return None
        pause = self._pause
        self._pause = min(2 * pause, _INTERVAL.total_seconds())
        return pause

    @callback
    def _note_https(self, *, is_required: bool) -> None:
        """Notify the listeners if it is new whether the server demands https."""
        if is_required is not self._requires_https:
            self._requires_https = is_required
            self.async_update_listeners()

    async def _ask(self) -> Credit | None:
        """Check the credentials; return the credit, or the last known one."""
        client = self._account.client
        if self._is_push_due:
            credit = await client.credit_with_push(self._first_number)
            self._push_checked = dt_util.utcnow()
            return credit or self.data
        if not self._can_ask:
            await client.validate()
            return self.data
        checked = await client.check()
        if checked is None or self.data is None:
            return checked or self.data
        return replace(
            checked, push_left=self.data.push_left, push_plan=self.data.push_plan
        )

    @callback
    def async_take_up(self, account: Account) -> None:
        """Go on with an account that has changed, and ask its provider soon."""
        if (url := self.config_entry.data[CONF_URL]) != self._url:
            self._url, self._requires_https = url, False
        self._account = account
        self._settings = dict(self.config_entry.data)
        self._follows_push = self._follows_push or account.channel is not Channel.SMS
        self.name = account.name
        self.async_update_listeners()
        self._refresh_soon()

    def _is_topped_up(self, credit: Credit | None) -> bool:
        """Return whether the credit rose, and is not low.

        If it was not known before, only a limit says that it is enough.
        """
        if credit is None or self._account.is_low(credit.balance):
            return False
        if self.data is None:
            return self._account.options.low_credit > 0
        return credit.balance > self.data.balance

    @callback
    def note_credit(self, *, is_enough: bool) -> None:
        """Note whether the credit is enough for a message, and notify the listeners.

        If it is not, a credit that the last accepted message reported is outdated.
        """
        self._lacks_credit = not is_enough
        if not is_enough and Feature.CREDIT not in self._features:
            self.data = None
            if self._can_ask:
                self._refresh_soon()
        self.async_update_listeners()

    @callback
    def follow_push(self) -> None:
        """Ask about the Push plan from now on, if the provider reports it."""
        self._follows_push = True

    @callback
    def restore_balance(self, balance: Decimal) -> None:
        """Set a balance of before a restart (euro) if the provider cannot be asked."""
        if self.data is None and Feature.CREDIT not in self._features:
            self.async_set_updated_data(Credit(balance=balance))

    @callback
    def handle_event(self, event: Event) -> None:
        """Update the credit and the state of credentials and address after a send."""
        match event:
            case CreditReported(balance=balance):
                known = self.data or Credit(balance=balance)
                self.async_set_updated_data(replace(known, balance=balance))
            case CreditChanged():
                if Feature.CREDIT in self._features:
                    self._refresh_soon()
            case CreditProved(is_enough=is_enough):
                self.note_credit(is_enough=is_enough)
            case CredentialsRefused():
                self._ask_for_credentials()
            case SendAccepted():
                self._note_https(is_required=False)
                self._withdraw_request()
            case HttpsRequired():
                self._note_https(is_required=True)
            case MessagesChanged(messages=messages):
                self._learn_from(messages)
            case (
                TotalsChanged()
                | MessagesReceived()
                | DayChanged()
                | DailyLimitReached()
                | CallRefused()
                | WaitRequested()
                | UndeliveredChanged()
                | DoubtLasted()
                | WaitingChanged()
            ):
                pass

    @callback
    def _learn_from(self, messages: Sequence[Message]) -> None:
        """Note what changed messages prove of the Push plan."""
        if not self._follows_push and any(map(self._is_own_push, messages)):
            self.follow_push()
            self._refresh_soon()

    def _is_own_push(self, message: Message) -> bool:
        """Return whether this account sent a message as a Push."""
        is_ours = message.last_account == self._account.id
        return is_ours and message.type is MessageType.PUSH

    @callback
    def _ask_for_credentials(self) -> None:
        """Start reauth, unless the refused credentials have just been replaced.

        A request with the old ones may still be on the wire.
        """
        if self._settings == dict(self.config_entry.data):
            self.config_entry.async_start_reauth(self.hass)

    @callback
    def _withdraw_request(self) -> None:
        """End reauth: the provider has accepted the present credentials."""
        flows = self.hass.config_entries.flow
        account = {"entry_id": self.config_entry.entry_id, "source": SOURCE_REAUTH}
        for flow in flows.async_progress_by_handler(DOMAIN, match_context=account):
            flows.async_abort(flow["flow_id"])

    @callback
    def _refresh_soon(self) -> None:
        """Ask now, or in some seconds if the last request was just now."""
        self.config_entry.async_create_background_task(
            self.hass, self.async_request_refresh(), "sms_italia credit"
        )
