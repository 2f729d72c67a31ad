"""Everything a test or a person can see and change, without the network."""

from datetime import timedelta
from decimal import Decimal

from .exchange import Upload
from .faults import Fault, Faults, Injection
from .model import (
    Callback,
    Listing,
    Message,
    Operation,
    Provider,
    Request,
    Status,
    Toggle,
)
from .store import Account, Store


class Desk:
    """The controls of the simulator.

    Providers, statuses, faults, operations and toggles may be given as their plain
    words; a word that does not exist raises ValueError.
    """

    def __init__(self, store: Store, faults: Faults) -> None:
        """Control this store and these faults."""
        self._store = store
        self._faults = faults

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
        """All attempts to report a delivery; `.of(provider)` narrows them."""
        return Listing(self._store.callbacks)

    def newest(self, limit: int) -> list[Message]:
        """Return the newest messages, newest first."""
        return self._store.newest(limit)

    def newest_requests(self, limit: int) -> list[Request]:
        """Return the newest requests, newest first."""
        return self._store.newest_requests(limit)

    def account(self, provider: str) -> Account:
        """Return the provider's account, whose fields may be changed at will."""
        return self._store.accounts[Provider(provider)]

    def credentials(self, provider: str) -> dict[str, str]:
        """Return what the provider accepts now, by the names of the set-up form."""
        return dict(self.account(provider).credentials)

    def set_credentials(self, provider: str, **values: str) -> None:
        """Change what the provider accepts; what is not named stays.

        SMSviaInternet also takes `username` and `password`: once set, the token
        asks for them too.
        """
        self.account(provider).credentials |= values

    def set_credit(self, provider: str, euro: Decimal | float | str) -> None:
        """Set the credit in euro."""
        self.account(provider).credit = Decimal(str(euro))

    def set_price(self, provider: str, euro: Decimal | float | str) -> None:
        """Set the price of one part in euro."""
        self.account(provider).price = Decimal(str(euro))

    def switch_on(self, provider: str, toggle: Toggle | str) -> None:
        """Switch on a behaviour that the documentation leaves open."""
        self.account(provider).toggles.add(Toggle(toggle))

    def switch_off(self, provider: str, toggle: Toggle | str) -> None:
        """Switch off a behaviour that the documentation leaves open."""
        self.account(provider).toggles.discard(Toggle(toggle))

    def picture(self, picture_id: str) -> Upload | None:
        """Return a picture by the id in its message's `extra`, None if it is gone."""
        return self._store.pictures.get(picture_id)

    def move(
        self, message_id: str, status: Status | str, word: str | None = None
    ) -> Message:
        """Set the status of a message, by `Message.id`, and report it if final.

        `word` is told to the client in place of the provider's usual one, to try
        the rarer: "SUBSCRIBER_UNKNOWN", "NOSENT", "16". Raises KeyError if there is
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
        """Make a fault happen to the next requests, of one operation or of any."""
        if times < 1:
            raise ValueError(times)
        injection = Injection(
            fault=Fault(fault),
            times=times,
            operation=None if operation is None else Operation(operation),
        )
        self._faults.inject(Provider(provider), injection)

    def waiting_faults(self, provider: str) -> tuple[Injection, ...]:
        """Return the faults that have not happened yet."""
        return self._faults.waiting(Provider(provider))

    def process(self) -> None:
        """Work on the shipments that slow processing keeps waiting."""
        self._store.process()

    def advance(self, time: timedelta) -> None:
        """Move the simulated time forward."""
        self._store.shift += time

    def reset(self) -> None:
        """Forget everything received, and make the accounts as new."""
        self._store.reset()
        self._faults.clear()
