"""Smshosting: plain SMS and Push (smshosting-push.txt; providers.md, section 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import override

import aiohttp
from yarl import URL

from ..client import (
    Capabilities,
    ChoiceOption,
    Feature,
    FieldKind,
    Placement,
    Presence,
    Provider,
    ProviderClient,
    Settings,
    SettingsField,
    SwitchOption,
    parse_url,
)
from ..errors import NotAcceptedError, OutcomeUnknownError
from ..model import (
    Cancellation,
    Cancelling,
    Cause,
    Channel,
    Credit,
    ErrorKind,
    Invitation,
    MessageRef,
    Mode,
    Picture,
    PictureRef,
    Report,
    SendResult,
    Status,
    Submission,
)
from ..parsing import as_count, as_euro, as_identifier, as_number, as_object
from ..transport import Json, Timeouts
from .api import ENCODINGS, Login, Wire, accepted_body, written
from .push import PICTURE, Push, addressed, read_cost
from .results import sent, sent_in_bulk
from .search import PAGE, STATUSES, Search

DEFAULT_URL = "https://api.smshosting.it/rest/api"

_MAX_RECIPIENTS = 5000
"""No limit is published; more than this go by further submissions."""
_TOLD_AT_ONCE = 999
"""From 1000 on, the provider wants its asynchronous bulk call (providers.md, 2.3)."""
_MAX_PARTS = 7
"""The provider's current page says 7, older ones 5: the server decides."""

_NO_PUSH_NOW = {Cause.NO_PUSH_PLAN, Cause.PUSH_SPENT}
"""Refusals of a Push that an SMS gets round; both prove that nothing was sent."""


class SmshostingClient(ProviderClient):
    """Speaks to one Smshosting account."""

    capabilities = Capabilities(
        features=frozenset(
            {
                Feature.CREDIT,
                Feature.SMS_LEFT,
                Feature.PUSH_LEFT,
                Feature.DELIVERY_POLL,
                Feature.DELIVERY_PUSH,
                Feature.CLIENT_REFERENCE,
                Feature.SCHEDULE,
                Feature.CANCEL,
                Feature.ESTIMATE,
                Feature.PUSH,
                Feature.PICTURE_PUSH,
                Feature.TEST_MODE,
                Feature.GROUPS,
            }
        ),
        recipients_per_submission=_MAX_RECIPIENTS,
        recipients_told_at_once=_TOLD_AT_ONCE,
        max_parts=_MAX_PARTS,
        refs_per_report_query=PAGE,
        picture=PICTURE,
    )

    def __init__(  # noqa: PLR0913 - an account's settings
        self,
        session: aiohttp.ClientSession,
        url: URL,
        timeouts: Timeouts,
        *,
        login: Login,
        sender: str | None,
        channel: Channel,
        mode: Mode,
    ) -> None:
        """Use the profile's own sender if it is None.

        `channel` and `mode` are for submissions that do not name theirs.
        """
        super().__init__(session, url, timeouts)
        self._wire = Wire(session=session, url=url, timeouts=timeouts, login=login)
        self._search = Search(wire=self._wire)
        self._push = Push(wire=self._wire, search=self._search)
        self._sender = sender
        self._channel = channel
        self._mode = mode

    @override
    async def validate(self) -> None:
        """Ask for the profile, the documented test of credentials.

        Raises as ProviderClient.validate.
        """
        await self.credit()

    @override
    async def credit(self) -> Credit:
        """Return the credit in euro and how many SMS to Italy it buys.

        Raises ProviderError. The profile has personal data too; none of it is kept.
        """
        return _credit(await self._profile())

    @override
    async def credit_with_push(self) -> Credit:
        """Return the credit, and ask for the Push left by the account's own number."""
        user = await self._profile()
        number = as_number(user.get("msisdn")) or as_number(user.get("phone"))
        plan, push_left = await self._push.left(number)
        return replace(_credit(user), push_left=push_left, push_plan=plan)

    async def _profile(self) -> Mapping[str, Json]:
        """Return the user's profile."""
        return accepted_body(await self._wire.get("user"))

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send by SMS, by Push, or by Push with SMS for those without the app.

        If there is no Push to be had now, PUSH_THEN_SMS is an SMS for all.
        """
        channel = self._channel_of(submission)
        sender = submission.sender or self._sender
        mode = submission.mode or self._mode
        if channel is Channel.SMS:
            return await self._send_sms(submission, sender, mode)
        try:
            return await self._push.send(submission, channel, sender, mode)
        except NotAcceptedError as err:
            if channel is Channel.PUSH or err.cause not in _NO_PUSH_NOW:
                raise
        return await self._send_sms(submission, sender, mode)

    async def _send_sms(
        self, submission: Submission, sender: str | None, mode: Mode
    ) -> SendResult:
        """Send by SMS; up to 999 numbers the answer has a result for each of them."""
        form = _sms_form(submission, sender)
        form["transactionId"] = submission.reference
        if submission.send_at is not None:
            form["date"] = written(submission.send_at)
        if mode is Mode.TEST:
            form["sandbox"] = "true"
        if submission.callback_url is not None:
            form["statusCallback"] = submission.callback_url
        if len(submission.recipients) <= _TOLD_AT_ONCE:
            body = await self._wire.post("sms/send", form)
            return sent(submission, body, Channel.SMS, mode)
        if submission.callback_url is not None:
            form["transactionCallback"] = submission.callback_url
        body = await self._wire.post("sms/sendbulk", form)
        return sent_in_bulk(submission, body, mode)

    def _channel_of(self, submission: Submission) -> Channel:
        """Return how a submission goes out; a picture needs a Push."""
        channel = submission.channel or self._channel
        if channel is Channel.SMS and submission.picture is not None:
            raise NotAcceptedError(
                ErrorKind.REFUSED, detail="picture_needs_push", cause=Cause.PICTURE
            )
        return channel

    @override
    async def _estimate(self, submission: Submission) -> Decimal:
        """Ask for the price of what `send` would do."""
        channel = self._channel_of(submission)
        sender = submission.sender or self._sender
        if channel is not Channel.SMS:
            try:
                return await self._push.estimate(submission, channel, sender)
            except NotAcceptedError as err:
                if channel is Channel.PUSH or err.cause not in _NO_PUSH_NOW:
                    raise
        form = _sms_form(submission, sender)
        return read_cost(await self._wire.post("sms/estimate", form))

    @override
    async def cancel(self, refs: Sequence[MessageRef]) -> Sequence[Cancellation]:
        """Stop messages one by one."""
        results: list[Cancellation] = []
        for ref in refs:
            listed = await self._cancel(ref.provider_id)
            same = [one for one in listed if one.ref.provider_id == ref.provider_id]
            result = same[0].result if same else Cancelling.NOT_CANCELLED
            results.append(Cancellation(ref=ref, result=result))
        return results

    async def _cancel(self, provider_id: str) -> list[Cancellation]:
        """Return what the provider lists of the message that was to be stopped.

        The answer lists messages with their status, and no page says which one a
        stopped message has: only NOSENT proves it, and only a message that has gone
        out proves the contrary.
        """
        try:
            body = await self._wire.post("sms/cancel", {"id": provider_id})
        except NotAcceptedError as err:
            if err.detail == "BAD_ID":
                return []
            raise
        rows = body.get("smsList")
        if not isinstance(rows, list):
            raise OutcomeUnknownError("no_list")
        listed: list[Cancellation] = []
        for item in rows:
            row = as_object(item)
            listed_id = as_identifier(row.get("id"))
            number = as_number(row.get("to"))
            if listed_id is None or number is None:
                raise OutcomeUnknownError("unreadable_row")
            listed.append(
                Cancellation(
                    ref=MessageRef(listed_id, number),
                    result=_cancelling(row.get("status")),
                )
            )
        return listed

    @override
    async def lookup(
        self, reference: str, channel: Channel | None = None
    ) -> Sequence[Report]:
        """Search for the messages of a submission by its transaction id.

        Among SMS and Push, unless the channel says that there was no Push: the option
        of the account may have changed since.
        """
        return await self._search.of_reference(
            reference, with_push=channel is not Channel.SMS
        )

    @override
    async def reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Search for up to 100 messages by their ids, SMS and Push."""
        return await self._search.of_refs(refs)

    @override
    async def create_invitation(self, number: str) -> Invitation:
        """Create a link that invites a number to the app."""
        return await self._push.invite(number)

    @override
    async def find_pictures(
        self, refs: Sequence[MessageRef]
    ) -> Mapping[MessageRef, PictureRef]:
        """Find the pictures of messages that have one."""
        return await self._push.find_pictures(refs)

    @override
    async def picture(self, picture_id: str) -> Picture:
        """Read a picture that was sent, up to 8 MiB."""
        return await self._push.picture(picture_id)


def _credit(user: Mapping[str, Json]) -> Credit:
    """Read the credit in a profile, which must have one."""
    balance = as_euro(user.get("credit"))
    if balance is None:
        raise OutcomeUnknownError("no_credit")
    return Credit(balance=balance, sms_left=as_count(user.get("italysms")))


def _sms_form(submission: Submission, sender: str | None) -> dict[str, str]:
    """Return what a send and an estimate of SMS have in common."""
    form = addressed(submission) | {
        "text": submission.text,
        "encoding": ENCODINGS[submission.encoding],
    }
    if sender is not None:
        form["from"] = sender
    return form


def _cancelling(word: Json) -> Cancelling:
    """Return what the status of a listed message says of the wish to stop it."""
    if word == "NOSENT":
        return Cancelling.CANCELLED
    status = STATUSES.get(word) if isinstance(word, str) else None
    if status in {Status.SENT, Status.DELIVERED, Status.FAILED}:
        return Cancelling.NOT_CANCELLED
    return Cancelling.UNCERTAIN


def _create(
    session: aiohttp.ClientSession, settings: Settings, timeouts: Timeouts
) -> ProviderClient:
    """Return a client; with the option `sandbox` on nothing is really sent.

    Raises ValueError if the URL is none, or `channel` is no channel.
    """
    return SmshostingClient(
        session,
        parse_url(settings.get("url", DEFAULT_URL)),
        timeouts,
        login=Login(key=settings["auth_key"], secret=settings["auth_secret"]),
        sender=settings.get("sender"),
        channel=Channel(settings.get("channel", Channel.SMS)),
        mode=Mode.TEST if settings.get("sandbox") == "true" else Mode.LIVE,
    )


PROVIDER = Provider(
    key="smshosting",
    name="Smshosting",
    manufacturer="Smshosting",
    console_url="https://www.smshosting.it",
    fields=(
        SettingsField(key="auth_key", kind=FieldKind.USERNAME),
        SettingsField(key="auth_secret", kind=FieldKind.SECRET),
        SettingsField(key="sender", kind=FieldKind.SENDER, presence=Presence.OPTIONAL),
        SettingsField(
            key="url",
            kind=FieldKind.URL,
            placement=Placement.ADVANCED,
            default=DEFAULT_URL,
        ),
    ),
    identity=("auth_key",),
    capabilities=SmshostingClient.capabilities,
    create=_create,
    options=(
        SwitchOption(key="sandbox", default=False),
        # Carried out by the messaging layer, where it is an account's option.
        SwitchOption(key="repeat_marker", default=True),
        ChoiceOption(
            key="channel",
            default=Channel.SMS,
            choices=(Channel.SMS, Channel.PUSH_THEN_SMS, Channel.PUSH),
        ),
    ),
)
