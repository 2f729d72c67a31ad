"""The smallest provider that the simulator can have, in one module."""

from decimal import Decimal

from simulator.exchange import Answer, Call, DeliveryReport, Endpoint, json_answer
from simulator.model import Message, Operation
from simulator.provider import Provider, SendCall, SendFields, bare_error
from simulator.store import Account, Store

KEY = "fifth"


class Fifth:
    """One endpoint to send and one to ask for a message."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return both."""
        return (
            Endpoint(
                method="POST",
                path="/v1/send",
                operation=Operation.SEND,
                handler=self._send,
            ),
            Endpoint(
                method="GET",
                path="/v1/messages/{id}",
                operation=Operation.STATUS,
                handler=self._read,
            ),
        )

    def delivery_report(self, message: Message) -> DeliveryReport | None:
        """Return a form with the status."""
        if message.callback is None:
            return None
        return DeliveryReport(
            method="POST",
            url=message.callback,
            encoding="form",
            payload={"status": message.status},
        )

    def no_endpoint(self, call: Call, status: int) -> Answer:  # noqa: ARG002 - the same for any
        """Return the bare answer of a web server."""
        return bare_error(status)

    def _send(self, call: Call) -> Answer:
        message = self._store.accept(
            KEY,
            to=call.text("to"),
            text=call.text("text"),
            sender="",
            parts=1,
            callback=call.text("callback") or None,
        )
        return json_answer({"id": message.id})

    def _read(self, call: Call) -> Answer:
        message = self._store.message(call.tail)
        return json_answer({"status": message.status if message else None})


def _new_account() -> Account:
    return Account(
        credentials={"key": "fifth-key"}, credit=Decimal(2), price=Decimal("0.5")
    )


def _send_call(_account: Account, number: str, text: str) -> SendCall:
    return SendCall(
        method="POST",
        path="/send",
        encoding="json",
        fields={"to": number, "text": text},
    )


PROVIDER = Provider(
    key=KEY,
    base_path="/v1",
    new_account=_new_account,
    create_api=Fifth,
    send_call=_send_call,
    send_fields=SendFields(numbers="to", text="text", callback="callback"),
)
