"""What a provider can do beyond a plain SMS, tried out once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from simulator import Channel, Message, Simulator, Status, Toggle

from .accounts import DOMAIN, RECIPIENTS_BY_PROVIDER, Account, change_options
from .home_assistant import Fields, HomeAssistant, until

COSTLY = (
    "È scattato l’allarme della cantina: la temperatura è di 21 °C, la pompa è ferma"  # noqa: RUF001 - as typed on a phone
)
CHEAP = (
    "E' scattato l'allarme della cantina: la temperatura è di 21 C, la pompa è ferma"
)
PICTURE_TEXT = "C'è qualcuno in cortile"
SCHEDULED_TEXT = "Promemoria di domani"
FAILOVER_TEXT = "La linea del fornitore non c'è"
TEXTS = (COSTLY, CHEAP, PICTURE_TEXT, SCHEDULED_TEXT, FAILOVER_TEXT)

_RELOAD_SECONDS = 30

_BRUNO = RECIPIENTS_BY_PROVIDER["smshosting"].number


def prepare(simulator: Simulator) -> None:
    """Give the account a Push plan, and its recipient the app."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").push_phones.add(_BRUNO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Tries them, and collects what it did (`told`) and what was wrong (`faults`)."""

    home_assistant: HomeAssistant
    simulator: Simulator
    accounts: Sequence[Account]
    camera: str
    told: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def try_all(self) -> None:
        """Try one after the other. Raises HomeAssistantError if one is refused."""
        await self._estimate()
        await self._push()
        await self._cancel()
        await self._fail_over()

    async def _estimate(self) -> None:
        """Ask what a text would cost, with its costly characters and without them."""
        account = self._account("smshosting")
        price = float(self.simulator.account("smshosting").price)
        plain = {"encoding": "gsm7", "parts": 1, "text": CHEAP, "cost": price}
        as_typed = {"encoding": "ucs2", "parts": 2, "text": COSTLY, "cost": 2 * price}
        for encoding, expected in (("smart", plain), ("unicode", as_typed)):
            answer = await self._ask(
                "estimate",
                config_entry_id=account.entry_id,
                numbers=[_BRUNO],
                message=COSTLY,
                encoding=encoding,
            )
            self.told.append(f"estimate answered {answer}")
            self._expect(f"the estimate as {encoding}", answer, expected)
        self._look_out(
            "an estimate was sent", found=list(self._arrived(COSTLY, CHEAP)) != []
        )

    async def _push(self) -> None:
        """Send the picture of the camera by Push."""
        account = self._account("smshosting")
        message = await self._send(
            account, PICTURE_TEXT, channel="push", picture=self.camera
        )
        self._expect("the Push", message, {"type": "push", "error": None})
        for arrived in self._arrived(PICTURE_TEXT):
            picture = self.simulator.picture(arrived.extra.get("picture", ""))
            size = len(picture.content) if picture else 0
            kind = picture.content_type if picture else "no picture"
            self.told.append(f"a Push to {arrived.to} with {kind}, {size} bytes")
            self._look_out(
                "the Push came without its picture",
                found=arrived.channel is not Channel.PUSH
                or kind != "image/jpeg"
                or not size,
            )

    async def _cancel(self) -> None:
        """Schedule a message for tomorrow, and think better of it."""
        account = self._account("smshosting")
        tomorrow = datetime.now().astimezone() + timedelta(days=1)
        message = await self._send(
            account, SCHEDULED_TEXT, send_at=tomorrow.isoformat(timespec="seconds")
        )
        self._look_out("no message was scheduled", found=message["send_at"] is None)
        answer = await self._ask("cancel", message_id=message["id"])
        self.told.append(f"cancel answered {answer}")
        self._expect("cancel", answer, {"status": "failed", "error": "cancelled"})
        for arrived in self._arrived(SCHEDULED_TEXT):
            self.told.append(f"scheduled for {arrived.scheduled}: {arrived.status}")
            self._look_out(
                "the cancelled message still waits at the provider",
                found=arrived.status is not Status.FAILED or not arrived.scheduled,
            )

    async def _fail_over(self) -> None:
        """Send through a provider that nobody reaches, with another one behind it."""
        first = self._account("inviosmart")
        second = self._account("transactionale")
        asked = len(self.simulator.requests.of(first.provider))

        async def is_back() -> bool | None:
            news = self.simulator.requests.of(first.provider)[asked:]
            return any(request.status for request in news) or None

        await change_options(
            self.home_assistant, first, "reliability", fallback=[second.entry_id]
        )
        await until(is_back, _RELOAD_SECONDS, f"{first.title} is loaded again")
        await self.simulator.ports.close(first.provider)
        try:
            message = await self._send(first, FAILOVER_TEXT)
        finally:
            await self.simulator.ports.open(first.provider)
        self._expect("the failover", message, {"account": second.title, "error": None})
        self._look_out(
            "the failover went elsewhere",
            found=[one.provider for one in self._arrived(FAILOVER_TEXT)]
            != [second.provider],
        )

    async def _send(self, account: Account, text: str, **extras: object) -> Fields:
        """Send to the account's recipient; return the one message of the answer."""
        answer = await self._ask(
            "send_sms",
            config_entry_id=account.entry_id,
            numbers=[account.recipient.number],
            message=text,
            **extras,
        )
        (message,) = cast("list[Fields]", answer["messages"])
        self.told.append(f"send_sms answered {message}")
        if sum(1 for _ in self._arrived(text)) != 1:
            self.faults.append(f"not one message with the text {text!r}")
        return message

    async def _ask(self, action: str, **data: object) -> Fields:
        return cast("Fields", await self.home_assistant.ask(f"{DOMAIN}.{action}", data))

    def _account(self, provider: str) -> Account:
        return next(one for one in self.accounts if one.provider == provider)

    def _arrived(self, *texts: str) -> Iterator[Message]:
        """Yield the messages at the providers with one of the texts."""
        return (one for one in self.simulator.messages if one.text in texts)

    def _expect(self, what: str, answer: Fields, expected: Fields) -> None:
        """Note each value that is another one."""
        self.faults.extend(
            f"{what} has {key} = {answer.get(key)!r} instead of {value!r}"
            for key, value in expected.items()
            if answer.get(key) != value
        )

    def _look_out(self, fault: str, *, found: bool) -> None:
        """Note a fault if it was found."""
        if found:
            self.faults.append(fault)
