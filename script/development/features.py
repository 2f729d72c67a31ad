"""What a provider can do beyond a plain SMS, tried once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from script.home_assistant.accounts import (
    DOMAIN,
    RECIPIENTS_BY_PROVIDER,
    Account,
    change_options,
)
from script.home_assistant.client import Client, Fields
from script.home_assistant.waiting import until
from simulator import Channel, Message, Simulator, Toggle

from .report import CANCELLED, status_of

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

_CHANGE_SECONDS = 30

_BRUNO = RECIPIENTS_BY_PROVIDER["smshosting"].number


def prepare(simulator: Simulator) -> None:
    """Give the account a Push plan, and its recipient the app."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").push_phones.add(_BRUNO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Tries the features; collects `notes` and, if something is wrong, `faults`."""

    client: Client
    simulator: Simulator
    accounts: Sequence[Account]
    camera: str
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def try_all(self) -> None:
        """Try one after the other. Raises HomeAssistantError if one is refused."""
        await self._estimate()
        await self._push()
        await self._cancel()
        await self._fail_over()

    async def _estimate(self) -> None:
        """Estimate a text with its costly characters and without them."""
        account = self._account("smshosting")
        price = float(self.simulator.account("smshosting").price)
        plain = {"encoding": "gsm7", "parts": 1, "text": CHEAP, "cost": price}
        as_typed = {"encoding": "ucs2", "parts": 2, "text": COSTLY, "cost": 2 * price}
        for encoding, expected in (("smart", plain), ("unicode", as_typed)):
            answer = await self._call(
                "estimate",
                config_entry_id=account.entry_id,
                numbers=[_BRUNO],
                message=COSTLY,
                encoding=encoding,
            )
            self.notes.append(f"estimate answered {answer}")
            self._expect(f"the estimate as {encoding}", answer, expected)
        self._check(
            "an estimate was sent", found=list(self._arrived(COSTLY, CHEAP)) != []
        )

    async def _push(self) -> None:
        """Send the picture of the camera by Push."""
        account = self._account("smshosting")
        message = await self._send(
            "a picture", account, PICTURE_TEXT, channel="push", picture=self.camera
        )
        self._expect("the Push", message, {"type": "push", "error": None})
        for arrived in self._arrived(PICTURE_TEXT):
            picture = self.simulator.picture(arrived.extra.get("picture", ""))
            size = len(picture.content) if picture else 0
            kind = picture.content_type if picture else "no picture"
            self.notes.append(f"a Push to {arrived.to} with {kind}, {size} bytes")
            self._check(
                "the Push came without its picture",
                found=arrived.channel is not Channel.PUSH
                or kind != "image/jpeg"
                or not size,
            )

    async def _cancel(self) -> None:
        """Schedule a message for tomorrow and cancel it."""
        account = self._account("smshosting")
        tomorrow = datetime.now().astimezone() + timedelta(days=1)
        send_at = tomorrow.isoformat(timespec="seconds")
        message = await self._send(
            "a schedule", account, SCHEDULED_TEXT, send_at=send_at
        )
        self._check("no message was scheduled", found=message["send_at"] is None)
        answer = await self._call("cancel", message_id=message["id"])
        self.notes.append(f"cancel answered {answer}")
        self._expect("cancel", answer, {"status": "failed", "error": "cancelled"})
        for arrived in self._arrived(SCHEDULED_TEXT):
            status = status_of(arrived)
            self.notes.append(f"scheduled for {arrived.scheduled}: {status}")
            self._check(
                "the cancelled message still waits at the provider",
                found=status != CANCELLED,
            )

    async def _fail_over(self) -> None:
        """Send through a provider that is out of reach, with another as fallback."""
        first = self._account("inviosmart")
        second = self._account("transactionale")
        asked = len(self.simulator.requests.of(first.provider))

        async def is_taken_up() -> bool | None:
            news = self.simulator.requests.of(first.provider)[asked:]
            return any(request.status for request in news) or None

        await change_options(
            self.client,
            first.entry_id,
            reliability={"fallback": [second.entry_id]},
        )
        await until(is_taken_up, _CHANGE_SECONDS, f"{first.title} has changed")
        await self.simulator.ports.close(first.provider)
        try:
            what = f"a failover, {first.title} was cut off"
            message = await self._send(what, first, FAILOVER_TEXT)
        finally:
            await self.simulator.ports.open(first.provider)
        self._expect("the failover", message, {"account": second.title, "error": None})
        self._check(
            "the failover went elsewhere",
            found=[one.provider for one in self._arrived(FAILOVER_TEXT)]
            != [second.provider],
        )

    async def _send(
        self, what: str, account: Account, text: str, **extras: object
    ) -> Fields:
        """Send to the account's recipient; return the one message of the answer."""
        answer = await self._call(
            "send_sms",
            config_entry_id=account.entry_id,
            numbers=[account.recipient.number],
            message=text,
            **extras,
        )
        (message,) = cast("list[Fields]", answer["messages"])
        self.notes.append(f"{what}: send_sms answered {message}")
        if sum(1 for _ in self._arrived(text)) != 1:
            self.faults.append(f"not one message with the text {text!r}")
        return message

    async def _call(self, action: str, **data: object) -> Fields:
        return cast(
            "Fields", await self.client.call_for_response(f"{DOMAIN}.{action}", data)
        )

    def _account(self, provider: str) -> Account:
        return next(one for one in self.accounts if one.provider == provider)

    def _arrived(self, *texts: str) -> Iterator[Message]:
        """Yield the messages at the providers with one of the texts."""
        return (one for one in self.simulator.messages if one.text in texts)

    def _expect(self, what: str, answer: Fields, expected: Fields) -> None:
        """Add a fault for each value that differs."""
        self.faults.extend(
            f"{what} has {key} = {answer.get(key)!r} instead of {value!r}"
            for key, value in expected.items()
            if answer.get(key) != value
        )

    def _check(self, fault: str, *, found: bool) -> None:
        """Add the fault if it was found."""
        if found:
            self.faults.append(fault)
