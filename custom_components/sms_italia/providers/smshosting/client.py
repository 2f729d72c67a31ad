"""Smshosting: SMS and Push (docs/development/provider-apis/smshosting.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import batched
import re
from typing import override

import aiohttp
from yarl import URL

from ..client import (
    Capabilities,
    ChoiceOption,
    Feature,
    FieldKind,
    Presence,
    Provider,
    ProviderClient,
    SenderRule,
    Settings,
    SettingsField,
    SwitchOption,
    confirmed,
    parse_url,
    url_field,
)
from ..decoding import Json
from ..errors import NotAcceptedError, OutcomeUnknownError
from ..http_status import Purpose
from ..model import (
    Cancellation,
    Cancelling,
    Cause,
    Channel,
    Credit,
    ErrorKind,
    Incoming,
    Invitation,
    MessageRef,
    Mode,
    NotSent,
    Picture,
    PictureRef,
    Report,
    SendResult,
    Status,
    Submission,
)
from ..parsing import (
    as_count,
    as_euro,
    as_identifier,
    as_message_id,
    as_number,
    as_object,
)
from ..transport import SHORT_ANSWER_BYTES, Timeouts
from .api import (
    Api,
    Login,
    accepted_list,
    accepted_object,
    is_unknown_id,
)
from .forms import sending_fields, sms_fields
from .push import PICTURE, Push, fits_push, read_cost
from .reception import Reception
from .results import id_finder, parse_bulk_callback, read_send
from .search import PAGE, STATUSES, Search, parse_callback

DEFAULT_URL = "https://api.smshosting.it/rest/api"

_MAX_RECIPIENTS = 1000
"""In one call, and its answer has a row for each.

Facts: docs/development/provider-apis/smshosting.md 2.3.
"""
_MAX_PARTS = 7
"""The provider's current page has 7, older ones 5: the server decides."""

_NO_PUSH_NOW = {Cause.NO_PUSH_PLAN, Cause.PUSH_SPENT}
"""Refusals of a Push after which an SMS goes out; nothing was sent before it."""

_PROFILE = frozenset({"credit", "italysms", "accountPlan", "authKey"})
"""Fields of the documented profile by which it is known."""

# A national number of ten digits is not taken for a foreign one.
_MOBILE = re.compile(r"\+(?:393[0-9]{8,9}|(?!39)[1-9][0-9]{10,14})")


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
                Feature.RECEIVE,
            }
        ),
        recipients_per_submission=_MAX_RECIPIENTS,
        max_parts=_MAX_PARTS,
        refs_per_report_query=PAGE,
        # docs/development/provider-apis/common.md 8.
        sender=SenderRule(alias=re.compile(r"[A-Za-z0-9 ._\-&@*']{1,11}")),
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
        self._push = Push(api=self._api)
        self._reception = Reception(api=self._api)
        self._sender = sender
        self._channel = channel
        self._mode = mode

    @override
    async def validate(self) -> None:
        """Ask for the profile, the documented test of credentials.

        Raises as ProviderClient.validate.
        """
        await self._profile()

    @override
    async def customer(self) -> str | None:
        """Return the user name in the profile, None if it has none.

        Raises as ProviderClient.validate. Facts:
        docs/development/provider-apis/smshosting.md 2.6.
        """
        profile = await self._profile()
        return as_identifier(profile.get("username")) or None

    @override
    async def check(self) -> Credit | None:
        """Return the credit in euro and how many SMS to Italy it buys.

        None if the profile has no amount that can be read. Raises ProviderError. The
        profile has personal data too, which is not kept.
        """
        return _credit(await self._profile())

    @override
    async def credit_with_push(self, number: str | None) -> Credit | None:
        """Return the credit with the Push plan.

        That is asked about with the account's own mobile, else with `number` if it is
        one, else not at all.
        """
        user = await self._profile()
        credit = _credit(user)
        if credit is None:
            return None
        mobile = _mobile(user.get("msisdn")) or _mobile(number)
        plan, push_left = await self._push.left(mobile)
        return replace(credit, push_left=push_left, push_plan=plan)

    async def _profile(self) -> Mapping[str, Json]:
        """Return the user's profile."""
        answer = await self._api.get("user", max_bytes=SHORT_ANSWER_BYTES)
        user = accepted_object(answer, Purpose.QUESTION, _PROFILE)
        if not any(
            isinstance(user.get(name), int | str | Decimal) for name in _PROFILE
        ):
            raise OutcomeUnknownError("no_profile")
        return user

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send by SMS, by Push, or by Push with SMS for those without the app.

        PUSH_THEN_SMS is an SMS for all if the account has no Push plan or has spent it,
        or if the text is too long for the SMS beside a Push.
        """
        channel = self._channel_of(submission)
        sender = submission.sender or self._sender
        mode = submission.mode or self._mode
        if channel is not Channel.SMS:
            try:
                return await self._push.send(submission, channel, sender, mode)
            except NotAcceptedError as err:
                if not _goes_as_sms(channel, err):
                    raise
        form = sms_fields(submission, sender) | sending_fields(submission, mode)
        if submission.callback_url is not None:
            form["statusCallback"] = submission.callback_url
        answer = await self._api.post("sms/send", form, find_id=id_finder(submission))
        return read_send(submission, answer, Channel.SMS, mode)

    def _channel_of(self, submission: Submission) -> Channel:
        """Return the channel of a submission; a picture needs a Push."""
        channel = submission.channel or self._channel
        if channel is Channel.SMS and submission.picture is not None:
            raise NotAcceptedError(
                ErrorKind.REFUSED, detail="picture_needs_push", cause=Cause.PICTURE
            )
        if channel is Channel.PUSH_THEN_SMS and not fits_push(submission):
            return Channel.SMS
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
                if not _goes_as_sms(channel, err):
                    raise
        form = sms_fields(submission, sender)
        answer = await self._api.post(
            "sms/estimate", form, max_bytes=SHORT_ANSWER_BYTES
        )
        return read_cost(answer)

    @override
    @confirmed
    async def cancel(self, refs: Sequence[MessageRef]) -> Sequence[Cancellation]:
        """Stop messages, several with one request."""
        results: list[Cancellation] = []
        for some in batched(refs, PAGE, strict=False):
            results += await self._cancel(some)
        return results

    async def _cancel(self, refs: Sequence[MessageRef]) -> list[Cancellation]:
        """Stop messages with one request, one by one if it has an unknown ID.

        The answer is a list of what was stopped: for a message that is not in it, it
        was too late. An answer that proves nothing is a doubt, as that of a send.
        Facts: docs/development/provider-apis/smshosting.md 2.9.
        """
        ids = ",".join(ref.provider_id for ref in refs)
        answer = await self._api.post("sms/cancel", {"id": ids})
        try:
            rows = accepted_list(answer, Purpose.SEND)
        except NotAcceptedError as err:
            if not is_unknown_id(err):
                raise
            if len(refs) == 1:
                return [Cancellation(ref=refs[0], result=Cancelling.NOT_CANCELLED)]
            return [result for ref in refs for result in await self._cancel((ref,))]
        listed: dict[str, Cancelling] = {}
        for row in map(as_object, rows):
            provider_id = as_message_id(row.get("id"))
            if provider_id is None:
                raise OutcomeUnknownError("unreadable_row")
            listed[provider_id] = _cancelling(row.get("status"))
        return [
            Cancellation(
                ref=ref,
                result=listed.get(ref.provider_id, Cancelling.NOT_CANCELLED),
            )
            for ref in refs
        ]

    @override
    async def _lookup(
        self, reference: str, channel: Channel | None
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
    @confirmed
    async def group_sizes(self) -> Mapping[str, int]:
        """Return how many contacts each group of the address book has, by its ID.

        Facts: docs/development/provider-apis/smshosting.md 2.11.
        """
        answer = await self._api.get("phonebook/group/list")
        rows = accepted_list(answer, Purpose.QUESTION)
        sizes: dict[str, int] = {}
        for row in map(as_object, rows):
            group = as_message_id(row.get("id"))
            size = as_count(row.get("contactCount"))
            if group is not None and size is not None:
                sizes[group] = size
        if rows and not sizes:
            raise OutcomeUnknownError("no_group")
        return sizes

    @override
    def parse_report(self, body: bytes) -> Report | None:
        """Return the report in the form of a status callback, None if unreadable."""
        return parse_callback(body)

    @override
    def parse_refusal(self, body: bytes, reference: str) -> NotSent | None:
        """Return the error in the JSON of a bulk callback, None if unreadable."""
        return parse_bulk_callback(body, reference)

    @override
    @confirmed
    async def create_invitation(self, number: str) -> Invitation:
        """Return a new link that invites a number to the app."""
        return await self._push.invite(number)

    @override
    @confirmed
    async def find_pictures(
        self, refs: Sequence[MessageRef]
    ) -> Mapping[MessageRef, PictureRef]:
        """Return the pictures of messages that have one."""
        return await self._search.pictures(refs)

    @override
    @confirmed
    async def picture(self, picture_id: str) -> Picture:
        """Return a picture that was sent, up to 8 MiB."""
        return await self._push.picture(picture_id)

    @override
    @confirmed
    async def received(self, since: datetime) -> Sequence[Incoming]:
        """Return all SMS that came in since a moment."""
        return await self._reception.since(since)


def _goes_as_sms(channel: Channel, err: NotAcceptedError) -> bool:
    """Return whether an SMS goes out after a Push was refused."""
    return channel is Channel.PUSH_THEN_SMS and err.cause in _NO_PUSH_NOW


def _credit(user: Mapping[str, Json]) -> Credit | None:
    """Return the credit in a profile, None if it cannot be read."""
    balance = as_euro(user.get("credit"))
    if balance is None:
        return None
    return Credit(balance=balance, sms_left=as_count(user.get("italysms")))


def _mobile(value: Json) -> str | None:
    """Return a number (E.164), None if it is not a whole mobile."""
    number = as_number(value)
    return number if number and _MOBILE.fullmatch(number) else None


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
        url_field(DEFAULT_URL),
    ),
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
