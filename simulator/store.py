"""What the simulated providers remember: accounts, messages, requests, callbacks."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from .exchange import Answer, Call, DeliveryReport, Upload
from .model import (
    Callback,
    Channel,
    Incoming,
    Message,
    Operation,
    Request,
    Status,
    Toggle,
)

MAX_MESSAGES = 100_000
MAX_REQUESTS = 20_000
MAX_CALLBACKS = 20_000
MAX_INCOMING = 20_000
MAX_REQUEST_BYTES = 64 * 1024 * 1024
MAX_PICTURES = 100
MAX_KEPT_ANSWER = 64 * 1024
REPEAT_WINDOW = timedelta(hours=24)
"""How long the same text to the same number is a repetition."""

_FIRST_ID = 4_300_000_001  # more than 32 bits hold, like some real ids


@dataclass(slots=True, kw_only=True)
class Account:
    """The one customer of a simulated provider; amounts in euro.

    `blocked` numbers (E.164) are well formed but refused. Not every provider reads
    the rest: `groups` are those of the address book, `push_phones` (E.164) have the
    app that receives Push messages, `webhook_url` and `receive_dlr` are the account's
    settings for delivery reports. `reception_number` (E.164) receives SMS, shared ones
    behind `reception_key`; `reception_url` is called when one comes in.
    """

    credentials: dict[str, str]
    credit: Decimal
    price: Decimal
    sender: str = "Simulatore"
    toggles: set[Toggle] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    push_phones: set[str] = field(default_factory=set)
    push_left: int = 900
    webhook_url: str | None = None
    receive_dlr: str = "always"
    reception_number: str | None = None
    reception_key: str | None = None
    reception_url: str | None = None

    def can_pay(self, parts: int) -> bool:
        """Return whether the credit is enough for so many parts."""
        return self.price * parts <= self.credit


class Store:
    """Accounts, accepted messages, requests and callbacks, in bounded memory.

    Every look-up that a send or a status call needs is a dictionary access.
    Providers are named by their keys.
    """

    def __init__(self, new_account: Mapping[str, Callable[[], Account]]) -> None:
        """Start with a new account for each provider and nothing received."""
        self._new_account = new_account
        self.accounts = self._new_accounts()
        self.callbacks: deque[Callback] = deque(maxlen=MAX_CALLBACKS)
        self.incoming: deque[Incoming] = deque(maxlen=MAX_INCOMING)
        self.pictures: OrderedDict[str, Upload] = OrderedDict()
        self.shift = timedelta(0)
        self.on_accept: Callable[[Message], None] = lambda _message: None
        self.on_final: Callable[[Message], None] = lambda _message: None
        self.on_report: Callable[[str, DeliveryReport], None] = lambda _key, _report: (
            None
        )
        self.on_incoming: Callable[[Incoming], None] = lambda _incoming: None
        self._waiting: list[Callable[[], None]] = []
        self._messages: OrderedDict[str, Message] = OrderedDict()
        self._by_reference: dict[tuple[str, str], deque[str]] = {}
        self._by_number: dict[tuple[str, str], deque[str]] = {}
        self._by_provider: defaultdict[str, deque[str]] = defaultdict(deque)
        self._repeats: OrderedDict[tuple[str, str, str], datetime] = OrderedDict()
        self._requests: OrderedDict[int, Request] = OrderedDict()
        self._request_bytes = 0
        self._ids = count(_FIRST_ID)
        self._numbers = count(1)

    def reset(self) -> None:
        """Forget everything received and renew the accounts; ids keep counting."""
        self.accounts = self._new_accounts()
        self.shift = timedelta(0)
        self.callbacks.clear()
        self.incoming.clear()
        self.pictures.clear()
        self._waiting.clear()
        self._messages.clear()
        self._by_reference.clear()
        self._by_number.clear()
        self._by_provider.clear()
        self._repeats.clear()
        self._requests.clear()
        self._request_bytes = 0

    def _new_accounts(self) -> dict[str, Account]:
        """Return a new account for each provider, by its key."""
        return {key: create() for key, create in self._new_account.items()}

    def now(self) -> datetime:
        """Return the simulated time, in UTC."""
        return datetime.now(UTC) + self.shift

    def new_id(self) -> int:
        """Return a number that was never returned before."""
        return next(self._ids)

    # Sends that are carried out after they were answered

    def defer(self, provider: str, work: Callable[[], None]) -> None:
        """Do the work now, or at `process` if the account's processing is slow."""
        if Toggle.SLOW_PROCESSING in self.accounts[provider].toggles:
            self._waiting.append(work)
        else:
            work()

    def process(self) -> None:
        """Do the work that was deferred."""
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            work()

    # Messages

    def accept(  # noqa: PLR0913 - what makes up a message
        self,
        provider: str,
        *,
        to: str,
        text: str,
        sender: str,
        parts: int,
        reference: str = "",
        provider_id: str | None = None,
        scheduled: datetime | None = None,
        channel: Channel = Channel.SMS,
        callback: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Message:
        """Accept a message and charge it; Push messages cost nothing.

        `provider_id` is the message's own id unless another is given.
        """
        account = self.accounts[provider]
        cost = Decimal(0) if channel is Channel.PUSH else account.price * parts
        account.credit -= cost
        now = self.now()
        message_id = str(self.new_id())
        message = Message(
            id=message_id,
            provider_id=provider_id or message_id,
            provider=provider,
            to=to,
            text=text,
            sender=sender,
            parts=parts,
            cost=cost,
            created=now,
            changed=now,
            reference=reference,
            scheduled=scheduled,
            channel=channel,
            callback=callback,
            extra=extra or {},
        )
        self._messages[message.id] = message
        for index in self._indexes(message):
            index.append(message.id)
        if len(self._messages) > MAX_MESSAGES:
            self._drop_oldest()
        self.on_accept(message)
        return message

    def message(self, message_id: str) -> Message | None:
        """Return one message; None if it is not known."""
        return self._messages.get(message_id)

    def messages(self) -> Iterator[Message]:
        """Yield all messages, oldest first."""
        yield from self._messages.values()

    def newest(self, limit: int) -> list[Message]:
        """Return the newest messages, newest first."""
        found = reversed(self._messages.values())
        return [message for message, _ in zip(found, range(limit), strict=False)]

    def by_reference(self, provider: str, reference: str) -> list[Message]:
        """Return the messages that share a reference, oldest first."""
        return self._resolve(self._by_reference.get((provider, reference), ()))

    def by_number(self, provider: str, number: str) -> list[Message]:
        """Return the messages to one number, oldest first."""
        return self._resolve(self._by_number.get((provider, number), ()))

    def by_provider(self, provider: str) -> list[Message]:
        """Return all messages of a provider, oldest first."""
        return self._resolve(self._by_provider[provider])

    def move(self, message_id: str, status: Status, word: str | None = None) -> Message:
        """Set the status of a message and report it if it is final.

        Raises KeyError if there is no such message.
        """
        old = self._messages[message_id]
        now = self.now()
        sent = old.sent if status is Status.QUEUED else old.sent or now
        message = replace(old, status=status, word=word, sent=sent, changed=now)
        self._messages[message_id] = message
        if status.is_final:
            self.on_final(message)
        return message

    def is_repeat(self, to: str, sender: str, text: str) -> bool:
        """Return whether the same text went to the number within 24 hours."""
        seen = self._repeats.get((to, sender, text))
        return seen is not None and self.now() - seen < REPEAT_WINDOW

    def remember_text(self, to: str, sender: str, text: str) -> None:
        """Make the same text to the same number a repetition from now on."""
        self._repeats[to, sender, text] = self.now()
        self._repeats.move_to_end((to, sender, text))
        if len(self._repeats) > MAX_MESSAGES:
            self._repeats.popitem(last=False)

    def receive(self, incoming: Incoming) -> None:
        """Keep an SMS that came in, and push it."""
        self.incoming.append(incoming)
        self.on_incoming(incoming)

    def keep_picture(self, upload: Upload) -> str:
        """Keep a picture and return its id."""
        picture_id = f"{self.new_id():x}="
        self.pictures[picture_id] = upload
        if len(self.pictures) > MAX_PICTURES:
            self.pictures.popitem(last=False)
        return picture_id

    def _indexes(self, message: Message) -> Iterator[deque[str]]:
        """Yield the indexes that hold a message."""
        yield self._by_provider[message.provider]
        yield self._by_number.setdefault((message.provider, message.to), deque())
        if message.reference:
            key = message.provider, message.reference
            yield self._by_reference.setdefault(key, deque())

    def _drop_oldest(self) -> None:
        """Forget the oldest message, which is the first in each of its indexes."""
        _, message = self._messages.popitem(last=False)
        for index in self._indexes(message):
            index.popleft()
        if not self._by_number[message.provider, message.to]:
            del self._by_number[message.provider, message.to]
        key = message.provider, message.reference
        if message.reference and not self._by_reference[key]:
            del self._by_reference[key]

    def _resolve(self, ids: deque[str] | tuple[()]) -> list[Message]:
        """Return the messages with these ids."""
        return [self._messages[message_id] for message_id in ids]

    # Requests

    def record(
        self,
        call: Call,
        provider: str,
        operation: Operation,
        *,
        redirected: bool,
        fault: str | None,
    ) -> int:
        """Record a request and return its number."""
        number = next(self._numbers)
        self._requests[number] = Request(
            number=number,
            provider=provider,
            operation=operation,
            received=self.now(),
            method=call.method,
            path=call.path,
            query=call.query,
            headers=call.headers,
            body=call.body,
            fields=call.fields,
            redirected=redirected,
            fault=fault,
            client_port=call.client_port,
        )
        self._request_bytes += len(call.body)
        self._trim_requests()
        return number

    def _trim_requests(self) -> None:
        """Forget the oldest requests until the rest fits."""
        while (
            len(self._requests) > MAX_REQUESTS
            or self._request_bytes > MAX_REQUEST_BYTES
        ):
            _, oldest = self._requests.popitem(last=False)
            self._request_bytes -= len(oldest.body) + len(oldest.answer)

    def record_answer(self, number: int, answer: Answer) -> None:
        """Record the answer to a request."""
        if (request := self._requests.get(number)) is not None:
            body = answer.body[:MAX_KEPT_ANSWER]
            self._requests[number] = replace(request, status=answer.status, answer=body)
            self._request_bytes += len(body) - len(request.answer)
            self._trim_requests()

    def requests(self) -> Iterator[Request]:
        """Yield all requests that are kept, oldest first."""
        yield from self._requests.values()

    def newest_requests(self, limit: int) -> list[Request]:
        """Return the newest requests, newest first."""
        found = reversed(self._requests.values())
        return [request for request, _ in zip(found, range(limit), strict=False)]
