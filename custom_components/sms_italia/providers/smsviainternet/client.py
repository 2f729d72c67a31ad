"""SMSviaInternet v2 (docs/development/provider-apis/smsviainternet.md)."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import override

import aiohttp
from yarl import URL

from ..client import (
    Capabilities,
    EmailOption,
    Feature,
    FieldKind,
    NumberOption,
    Placement,
    Presence,
    Provider,
    ProviderClient,
    Settings,
    SettingsField,
    parse_url,
    same_for_all,
    url_field,
)
from ..decoding import Json
from ..errors import NotAcceptedError, OutcomeUnknownError, ProviderError
from ..http_status import Purpose
from ..model import (
    Accepted,
    Credit,
    ErrorKind,
    MessageRef,
    Mode,
    NotSent,
    Outcome,
    Report,
    SendResult,
    Submission,
    Uncertain,
)
from ..parsing import (
    as_count,
    as_euro,
    as_flag,
    as_object,
    as_parts,
    as_price,
    as_thousandths,
)
from ..transport import SHORT_ANSWER_BYTES, Timeouts
from .api import (
    BATCH_ID,
    QUEUE_ID,
    Api,
    Login,
    Reply,
    accepted_body,
    find_id,
    format_moment,
)
from .delivery import BATCH, PATH, Deliveries, Row, decisive, read_page

DEFAULT_URL = "https://v2.smsviainternet.it"

_MAX_RECIPIENTS = 5000
_MAX_PARTS = 99
_MAX_SYNC_RECIPIENTS = 500
"""More recipients than this are sent asynchronously.

The number is ours. Up to here it is worth waiting for an answer with the count and the
cost; beyond, a server that needs 60 ms for each number would not answer within 30
seconds, and all would be uncertain.
"""
_MAX_SYNC_BATCH = 100
"""The same for a batch: docs/development/provider-apis/smsviainternet.md 1.2."""
_TEST_GATEWAY = 99
"""Sends nothing, which is documented for sms-batch only."""
_MICRO_EURO = Decimal("0.000001")
"""To this a message's share of the shipment's cost is rounded."""
_WALLET_REFUSED = frozenset({401, 403, 404, 405})
"""What an account that may not ask for its wallet is answered, by whoever answers."""

_ROW_PAUSES = (0, 0.5, 1, 2)
"""Seconds before each question about the rows of a shipment that was just accepted."""

_DROPPED = NotSent(kind=ErrorKind.RECIPIENT, detail="dropped")
"""Invalid numbers are dropped in silence.

Facts: docs/development/provider-apis/smsviainternet.md 1.2.
"""


class _NoWalletError(Exception):
    """The account may not ask for its credit."""


class SmsViaInternetClient(ProviderClient):
    """A client of one SMSviaInternet account."""

    capabilities = Capabilities(
        features=frozenset(
            {
                Feature.CREDIT_IF_OFFERED,
                Feature.CREDIT_WITH_SEND,
                Feature.DELIVERY_POLL,
                Feature.DELIVERY_PUSH,
                Feature.SCHEDULE,
                Feature.TEST_MODE,
            }
        ),
        recipients_per_submission=_MAX_RECIPIENTS,
        max_parts=_MAX_PARTS,
        refs_per_report_query=_MAX_RECIPIENTS,
    )

    def __init__(  # noqa: PLR0913 - an account's settings
        self,
        session: aiohttp.ClientSession,
        url: URL,
        timeouts: Timeouts,
        *,
        login: Login,
        sender: str | None,
        gateway: int | None,
        delivery_email: str | None,
    ) -> None:
        """Use the panel's own sender and gateway if they are None.

        `delivery_email` gets the receipts of submissions without a URL.
        """
        super().__init__(session, url, timeouts)
        self._api = Api(session=session, url=url, timeouts=timeouts, login=login)
        self._deliveries = Deliveries(api=self._api)
        self._username = login.username
        self._sender = sender
        self._gateway = gateway
        self._delivery_email = delivery_email
        self._offers_credit = True

    @override
    async def validate(self) -> None:
        """Ask for one delivery row of today, which needs the token and costs nothing.

        Raises as ProviderClient.validate. That the answer proves the token is
        inferred: docs/development/provider-apis/common.md 5.
        """
        today = datetime.now(UTC).date().isoformat()
        query = {"from_date": today, "limit": "1"}
        read_page(await self._api.get(PATH, query, SHORT_ANSWER_BYTES))

    @override
    async def check(self) -> Credit | None:
        """Return the credit if the account may ask for it, else prove the login.

        None if the credit is not known. The provider does not document the question:
        its answer says nothing about the account, except that the provider wants fewer
        requests. After a refusal it is not asked again.
        """
        is_refused = False
        if self._offers_credit:
            try:
                return await self._wallet()
            except _NoWalletError:
                is_refused = True
            except NotAcceptedError as err:
                if err.kind is ErrorKind.THROTTLED:
                    raise
            except OutcomeUnknownError:
                pass
        await self.validate()
        if is_refused:
            self._offers_credit = False
        return None

    async def _wallet(self) -> Credit:
        """Return the credit of the only wallet that the account may see.

        The provider does not document the call; it was seen in another client, with a
        reseller's token. Raises _NoWalletError if it is refused or has no wallet or
        several, which is no proof of a wrong token, and ProviderError. Facts:
        docs/development/provider-apis/smsviainternet.md 1.5.
        """
        query = {"users": self._username} if self._username else {}
        reply = await self._api.get("users/wallets.json", query, SHORT_ANSWER_BYTES)
        if reply.answer.status in _WALLET_REFUSED:
            raise _NoWalletError
        try:
            accepted_body(reply, Purpose.QUESTION)
        except NotAcceptedError as err:
            if err.kind in {ErrorKind.AUTH, ErrorKind.REFUSED}:
                raise _NoWalletError from None
            raise
        wallets = reply.rows("wallets") or []
        amounts = [as_euro(as_object(wallet).get("amount")) for wallet in wallets]
        match amounts:
            case [Decimal() as balance]:
                return Credit(balance=balance)
            case _:
                raise _NoWalletError

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send to up to 5000 numbers; the answer counts them but names none.

        If some were dropped, the delivery rows show which. If they do not, those
        recipients are uncertain under the shipment's id. For more than 500 numbers
        (100 in test mode) the answer has the shipment only.

        Test mode goes as a batch, where the test gateway is documented.
        """
        message = self._common(submission)
        if submission.mode is Mode.TEST:
            path, name, prefix = "sms-batch.json", BATCH_ID, BATCH
            message |= _batch(submission)
        else:
            path, name, prefix = "sms.json", QUEUE_ID, ""
            message |= _plain(submission)

        def named(number: str | None) -> str | None:
            return None if number is None else f"{prefix}{number}"

        reply = await self._api.post(
            path, message, lambda text: named(find_id(text, name))
        )
        shipment = named(reply.shipment_id(name))
        try:
            accepted_body(reply, Purpose.SEND)
        except OutcomeUnknownError as err:
            raise OutcomeUnknownError(err.detail, provider_id=shipment) from None
        if shipment is None:
            raise OutcomeUnknownError("no_batch_id" if prefix else "no_queue_id")
        return SendResult(
            outcomes=await self._outcomes(submission, shipment, reply),
            credit=as_thousandths(reply.body.get("credit")),
            mode=Mode.TEST if self._is_test(submission) else Mode.LIVE,
        )

    def _is_test(self, submission: Submission) -> bool:
        """Return whether a submission goes through the test gateway."""
        return submission.mode is Mode.TEST or (
            submission.mode is None and self._gateway == _TEST_GATEWAY
        )

    def _common(self, submission: Submission) -> dict[str, Json]:
        """Return the fields that the two ways to send have in common."""
        message: dict[str, Json] = {}
        if sender := submission.sender or self._sender:
            message["sender"] = sender
        if submission.mode is Mode.TEST:
            message["gateway"] = _TEST_GATEWAY
        elif submission.mode is Mode.LIVE and self._gateway == _TEST_GATEWAY:
            message["gateway"] = 0
        elif self._gateway is not None:
            message["gateway"] = self._gateway
        if callback := submission.callback_url or self._delivery_email:
            message["delivery_callback"] = callback
        if submission.send_at is not None:
            message["send_at"] = format_moment(submission.send_at)
        return message

    async def _outcomes(
        self, submission: Submission, shipment: str, reply: Reply
    ) -> Mapping[str, Outcome]:
        """Return the outcome of each recipient by the counts of an answer.

        An answer without a count is that of an asynchronous shipment. If it has one all
        the same, it is of a shipment that is not processed yet, but for a batch. Facts:
        docs/development/provider-apis/smsviainternet.md 1.2.
        """
        asked = len(submission.recipients)
        body, has_error = reply.body, bool(reply.error)
        count = body.get("sending_contacts_count")
        contacts = as_count(count)
        is_counted = shipment.startswith(BATCH) or not as_flag(body.get("async"))
        if not has_error and (count is None or not is_counted):
            return same_for_all(submission, Accepted(provider_id=shipment))
        if has_error or contacts is None or contacts > asked:
            doubt = Uncertain(detail="contacts_not_told", provider_id=shipment)
            return same_for_all(submission, doubt)
        if contacts == 0:
            return same_for_all(submission, _DROPPED)
        accepted = _share(body, contacts, shipment)
        if contacts == asked:
            return same_for_all(submission, accepted)
        listed = await self._listed(submission, shipment, contacts)
        missing: Outcome = (
            _DROPPED
            if len(listed) == contacts
            else Uncertain(detail="some_dropped", provider_id=shipment)
        )
        return {
            recipient: accepted if recipient in listed else missing
            for recipient in submission.recipients
        }

    async def _listed(
        self, submission: Submission, shipment: str, count: int
    ) -> frozenset[str]:
        """Return the recipients in the shipment's delivery rows, `count` of them.

        Fewer if the rows are not all there after some seconds: how soon the provider
        lists them is not known.
        """
        listed: frozenset[str] = frozenset()
        for pause in _ROW_PAUSES:
            await asyncio.sleep(pause)
            with suppress(ProviderError):
                rows = await self._deliveries.of_shipment(shipment)
                named = {row.receiver for row in rows}
                listed = frozenset(filter(named.__contains__, submission.recipients))
            if len(listed) >= count:
                break
        return listed

    @override
    async def _reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Return the status of messages, with one question for each shipment.

        A shipment that the provider refuses to report does not stop the others.
        """
        shipments: dict[str, list[MessageRef]] = {}
        for ref in refs:
            shipments.setdefault(ref.provider_id, []).append(ref)
        reports: list[Report] = []
        for shipment, members in shipments.items():
            try:
                rows = await self._deliveries.of_shipment(shipment)
            except NotAcceptedError as err:
                if err.kind is ErrorKind.REFUSED:
                    continue
                raise
            by_receiver: dict[str | None, list[Row]] = {}
            for row in rows:
                by_receiver.setdefault(row.receiver, []).append(row)
            for ref in members:
                found = decisive(by_receiver.get(ref.recipient, []), ref.parts)
                if found is not None and found.status is not None:
                    reports.append(
                        Report(
                            ref=ref,
                            status=found.status,
                            detail=found.detail,
                            is_last=found.is_last,
                        )
                    )
        return reports


def _plain(submission: Submission) -> dict[str, Json]:
    """Return one text for all, as sms.json takes it."""
    message: dict[str, Json] = {
        "text": submission.text,
        "numbers": ",".join(submission.recipients),
    }
    if len(submission.recipients) > _MAX_SYNC_RECIPIENTS:
        message["async"] = True
    return message


def _batch(submission: Submission) -> dict[str, Json]:
    """Return one text for all, as sms-batch.json takes it.

    The whole text is a placeholder, so that nothing in it is taken for a template's.
    The flags are set because their defaults vary; without unicode a recipient would be
    dropped.
    """
    destinations: list[Json] = [
        {"number": recipient, "placeholders": {"text": submission.text}}
        for recipient in submission.recipients
    ]
    return {
        "text_template": "{{text}}",
        "destinations": destinations,
        "async": len(destinations) > _MAX_SYNC_BATCH,
        "utf8_enabled": True,
        "max_sms_length": submission.max_parts or _MAX_PARTS,
    }


def _share(body: Mapping[str, Json], contacts: int, shipment: str) -> Accepted:
    """Return one of the accepted contacts, with its share of the shipment."""
    parts = as_count(body.get("sending_sms_count"))
    cost = as_thousandths(body.get("sending_cost"))
    price = None if cost is None else as_price(cost / contacts)
    return Accepted(
        provider_id=shipment,
        parts=as_parts(parts // contacts) if parts and not parts % contacts else None,
        cost=None if price is None else price.quantize(_MICRO_EURO),
    )


def _create(
    session: aiohttp.ClientSession, settings: Settings, timeouts: Timeouts
) -> ProviderClient:
    """Return a client; raise ValueError if `url` or `gateway` is not valid."""
    gateway = settings.get("gateway")
    return SmsViaInternetClient(
        session,
        parse_url(settings.get("url", DEFAULT_URL)),
        timeouts,
        login=Login(
            token=settings["api_token"],
            username=settings.get("username"),
            password=settings.get("password"),
        ),
        sender=settings.get("sender"),
        gateway=int(gateway) if gateway else None,
        delivery_email=settings.get("delivery_email"),
    )


PROVIDER = Provider(
    key="smsviainternet",
    name="SMSviaInternet",
    manufacturer="Netfun Italia",
    console_url="https://v2.smsviainternet.it",
    fields=(
        SettingsField(key="api_token", kind=FieldKind.SECRET),
        SettingsField(key="sender", kind=FieldKind.SENDER, presence=Presence.OPTIONAL),
        SettingsField(
            key="username",
            kind=FieldKind.USERNAME,
            presence=Presence.OPTIONAL,
            placement=Placement.ADVANCED,
        ),
        SettingsField(
            key="password",
            kind=FieldKind.SECRET,
            presence=Presence.OPTIONAL,
            placement=Placement.ADVANCED,
        ),
        url_field(DEFAULT_URL),
    ),
    capabilities=SmsViaInternetClient.capabilities,
    create=_create,
    options=(
        NumberOption(key="gateway", default=0, minimum=0, maximum=9999),
        EmailOption(key="delivery_email"),
    ),
)
