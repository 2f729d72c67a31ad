"""What tests and scripts can see and change, without the network."""

from datetime import datetime, timedelta
from decimal import Decimal

from .exchange import Upload
from .faults import Fault, Faults, Injection
from .model import (
    Callback,
    Incoming,
    Listing,
    Message,
    Operation,
    Request,
    Status,
    Toggle,
)
from .store import Account, Store


class Controls:
    """The controls of the simulator.

    Statuses, faults, operations and toggles may be given as their values; one that
    does not exist raises ValueError, and so does the key of an unknown provider.
    """

    def __init__(self, store: Store, faults: Faults) -> None:
        """Control this store and these faults."""
        self._store = store
        self._faults = faults

    @property
    def provider_keys(self) -> tuple[str, ...]:
        """The keys of all providers."""
        return tuple(self._store.accounts)

    def known(self, provider: str) -> str:
        """Return the key of a provider; ValueError if there is no such provider."""
        if provider not in self._store.accounts:
            raise ValueError(provider)
        return provider

    @property
    def messages(self) -> Listing[Message]:
        """All messages accepted, oldest first; `.of(provider)` narrows them."""
        return Listing(self._store.messages())

    @property
    def requests(self) -> Listing[Request]:
        """All requests received, oldest first; `.of(provider)` narrows them."""
        return Listing(self._store.requests())

    @property
    def callbacks(self) -> Listing[Callback]:
        """All attempts to push a delivery report; `.of(provider)` narrows them."""
        return Listing(self._store.callbacks)

    def newest(self, limit: int) -> list[Message]:
        """Return the newest messages, newest first."""
        return self._store.newest(limit)

    def newest_requests(self, limit: int) -> list[Request]:
        """Return the newest requests, newest first."""
        return self._store.newest_requests(limit)

    def account(self, provider: str) -> Account:
        """Return the provider's account; its fields may be changed."""
        return self._store.accounts[self.known(provider)]

    def credentials(self, provider: str) -> dict[str, str]:
        """Return the credentials that are valid now, by the names of the form."""
        return dict(self.account(provider).credentials)

    def set_credentials(self, provider: str, **values: str) -> None:
        """Change credentials of the provider; those not named stay.

        SMSviaInternet also takes `username` and `password`: once set, they are
        required beside the token.
        """
        self.account(provider).credentials |= values

    def set_credit(self, provider: str, euro: Decimal | float | str) -> None:
        """Set the credit in euro."""
        self.account(provider).credit = Decimal(str(euro))

    def set_price(self, provider: str, euro: Decimal | float | str) -> None:
        """Set the price of one part in euro."""
        self.account(provider).price = Decimal(str(euro))

    def set_push_phones(self, provider: str, *numbers: str) -> None:
        """Set the numbers (E.164) that have the provider's app."""
        self.account(provider).push_phones = set(numbers)

    def set_reception(
        self,
        provider: str,
        number: str,
        *,
        url: str | None = None,
        key: str | None = None,
    ) -> None:
        """Set the number (E.164) that receives SMS, a shared one with its key.

        `url` is called when one comes in.
        """
        account = self.account(provider)
        account.reception_number = number
        account.reception_url, account.reception_key = url, key

    def write(
        self,
        provider: str,
        sender: str,
        text: str,
        *,
        received: datetime | None = None,
    ) -> None:
        """Write an SMS to the provider's account, from a number (E.164) or a name.

        It comes in now, or at `received`, as an SMS that was on its way.
        """
        self._store.receive(
            Incoming(
                provider=self.known(provider),
                sender=sender,
                text=text,
                received=received or self._store.now(),
            )
        )

    def switch_on(self, provider: str, toggle: Toggle | str) -> None:
        """Switch on a behaviour that the documentation leaves open."""
        self.account(provider).toggles.add(Toggle(toggle))

    def switch_off(self, provider: str, toggle: Toggle | str) -> None:
        """Switch off a behaviour that the documentation leaves open."""
        self.account(provider).toggles.discard(Toggle(toggle))

    def picture(self, picture_id: str) -> Upload | None:
        """Return a picture by the id in its message's `extra`; None if not kept."""
        return self._store.pictures.get(picture_id)

    def move(
        self, message_id: str, status: Status | str, word: str | None = None
    ) -> Message:
        """Set the status of a message, by `Message.id`, and report it if final.

        `word` is answered to the client in place of the provider's usual one, to try
        rare ones: "SUBSCRIBER_UNKNOWN", "NOSENT", "16". Raises KeyError if there is
        no such message.
        """
        return self._store.move(message_id, Status(status), word)

    def inject(
        self,
        provider: str,
        fault: Fault | str,
        times: int = 1,
        operation: Operation | str | None = None,
    ) -> None:
        """Make the next requests fail, of one operation or (None) of any."""
        if times < 1:
            raise ValueError(times)
        injection = Injection(
            fault=Fault(fault),
            times=times,
            operation=None if operation is None else Operation(operation),
        )
        self._faults.inject(self.known(provider), injection)

    def waiting_faults(self, provider: str) -> tuple[Injection, ...]:
        """Return the faults that have not happened yet."""
        return self._faults.waiting(self.known(provider))

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet."""
        self._faults.clear()

    def process(self) -> None:
        """Carry out the sends that slow processing has deferred."""
        self._store.process()

    def advance(self, time: timedelta) -> None:
        """Move the simulated time forward."""
        self._store.shift += time

    def reset(self) -> None:
        """Forget everything received, and replace the accounts with new ones."""
        self._store.reset()
        self._faults.clear()
