"""Smshosting: SMS and Push (docs/development/provider-apis/smshosting.md)."""

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
from ..decoding import Json
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
from ..transport import Timeouts
from .api import ENCODINGS, Api, Login, accepted_body, format_moment
from .push import PICTURE, Push, parse_cost, recipient_fields
from .results import parse_bulk_send, parse_send
from .search import PAGE, STATUSES, Search

DEFAULT_URL = "https://api.smshosting.it/rest/api"

_MAX_RECIPIENTS = 5000
"""Not a published limit: more go as further submissions."""
_MAX_SYNC_RECIPIENTS = 999
"""From 1000 on, the provider wants its asynchronous bulk call.

Facts: docs/development/provider-apis/smshosting.md 2.3.
"""
_MAX_PARTS = 7
"""The provider's current page has 7, older ones 5: the server decides."""

_NO_PUSH_NOW = {Cause.NO_PUSH_PLAN, Cause.PUSH_SPENT}
"""Refusals of a Push after which an SMS goes out; nothing was sent before it."""


class SmshostingClient(ProviderClient):
    """A client of one Smshosting account."""

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
        recipients_told_at_once=_MAX_SYNC_RECIPIENTS,
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
        self._api = Api(session=session, url=url, timeouts=timeouts, login=login)
        self._search = Search(api=self._api)
        self._push = Push(api=self._api, search=self._search)
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

        Raises ProviderError. The profile has personal data too, which is not kept.
        """
        return _credit(await self._profile())

    @override
    async def credit_with_push(self) -> Credit:
        """Return the credit with the Push plan, asked for with the account's number."""
        user = await self._profile()
        number = as_number(user.get("msisdn")) or as_number(user.get("phone"))
        plan, push_left = await self._push.left(number)
        return replace(_credit(user), push_left=push_left, push_plan=plan)

    async def _profile(self) -> Mapping[str, Json]:
        """Return the user's profile."""
        return accepted_body(await self._api.get("user"))

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send by SMS, by Push, or by Push with SMS for those without the app.

        PUSH_THEN_SMS is an SMS for all if the account has no Push plan or has spent it.
        Up to 999 numbers the answer to an SMS has a result for each.
        """
        channel = self._channel_of(submission)
        sender = submission.sender or self._sender
        mode = submission.mode or self._mode
        if channel is not Channel.SMS:
            try:
                return await self._push.send(submission, channel, sender, mode)
            except NotAcceptedError as err:
                if channel is Channel.PUSH or err.cause not in _NO_PUSH_NOW:
                    raise
        form = _send_form(submission, sender, mode)
        if len(submission.recipients) <= _MAX_SYNC_RECIPIENTS:
            body = await self._api.post("sms/send", form)
            return parse_send(submission, body, Channel.SMS, mode)
        if submission.callback_url is not None:
            form["transactionCallback"] = submission.callback_url
        body = await self._api.post("sms/sendbulk", form)
        return parse_bulk_send(submission, body, mode)

    def _channel_of(self, submission: Submission) -> Channel:
        """Return the channel of a submission; a picture needs a Push."""
        channel = submission.channel or self._channel
        if channel is Channel.SMS and submission.picture is not None:
            raise NotAcceptedError(
                ErrorKind.REFUSED, detail="picture_needs_push", cause=Cause.PICTURE
            )
        return channel

    @override
    async def _estimate(self, submission: Submission) -> Decimal:
        """Return the cost of what `send` would do."""
        channel = self._channel_of(submission)
        sender = submission.sender or self._sender
        if channel is not Channel.SMS:
            try:
                return await self._push.estimate(submission, channel, sender)
            except NotAcceptedError as err:
                if channel is Channel.PUSH or err.cause not in _NO_PUSH_NOW:
                    raise
        form = _sms_form(submission, sender)
        return parse_cost(await self._api.post("sms/estimate", form))

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
        """Return what the provider lists about a message that was to be stopped.

        The answer lists messages with their status: NOSENT proves that one was stopped,
        and a message that has gone out that it was not. Facts:
        docs/development/provider-apis/smshosting.md 2.9.
        """
        try:
            body = await self._api.post("sms/cancel", {"id": provider_id})
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
    async def _lookup(
        self, reference: str, channel: Channel | None = None
    ) -> Sequence[Report]:
        """Return the reports of a submission, found by its transaction id.

        SMS and Push are searched, SMS alone if that was the channel. The account's
        option may have changed since and does not count.
        """
        return await self._search.of_reference(
            reference, with_push=channel is not Channel.SMS
        )

    @override
    async def _reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Return the status of up to 100 messages, SMS and Push, by their ids."""
        return await self._search.of_refs(refs)

    @override
    async def create_invitation(self, number: str) -> Invitation:
        """Return a new link that invites a number to the app."""
        return await self._push.invite(number)

    @override
    async def find_pictures(
        self, refs: Sequence[MessageRef]
    ) -> Mapping[MessageRef, PictureRef]:
        """Return the pictures of messages that have one."""
        return await self._push.find_pictures(refs)

    @override
    async def picture(self, picture_id: str) -> Picture:
        """Return a picture that was sent, up to 8 MiB."""
        return await self._push.picture(picture_id)


def _credit(user: Mapping[str, Json]) -> Credit:
    """Return the credit in a profile; raise OutcomeUnknownError if there is none."""
    balance = as_euro(user.get("credit"))
    if balance is None:
        raise OutcomeUnknownError("no_credit")
    return Credit(balance=balance, sms_left=as_count(user.get("italysms")))


def _sms_form(submission: Submission, sender: str | None) -> dict[str, str]:
    """Return the fields that a send and an estimate of SMS have in common."""
    form = recipient_fields(submission) | {
        "text": submission.text,
        "encoding": ENCODINGS[submission.encoding],
    }
    if sender is not None:
        form["from"] = sender
    return form


def _send_form(
    submission: Submission, sender: str | None, mode: Mode
) -> dict[str, str]:
    """Return the fields of a send of SMS."""
    form = _sms_form(submission, sender)
    form["transactionId"] = submission.reference
    if submission.send_at is not None:
        form["date"] = format_moment(submission.send_at)
    if mode is Mode.TEST:
        form["sandbox"] = "true"
    if submission.callback_url is not None:
        form["statusCallback"] = submission.callback_url
    return form


def _cancelling(word: Json) -> Cancelling:
    """Return the result of stopping a message that is listed with this status."""
    if word == "NOSENT":
        return Cancelling.CANCELLED
    status = STATUSES.get(word) if isinstance(word, str) else None
    if status in {Status.SENT, Status.DELIVERED, Status.FAILED}:
        return Cancelling.NOT_CANCELLED
    return Cancelling.UNCERTAIN


def _create(
    session: aiohttp.ClientSession, settings: Settings, timeouts: Timeouts
) -> ProviderClient:
    """Return a client; with the option `sandbox` on, nothing is really sent.

    Raises ValueError if `url` or `channel` is not valid.
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
        # For the messaging layer, which adds the marker.
        SwitchOption(key="repeat_marker", default=True),
        ChoiceOption(
            key="channel",
            default=Channel.SMS,
            choices=(Channel.SMS, Channel.PUSH_THEN_SMS, Channel.PUSH),
        ),
    ),
)
