"""Smshosting: the Push API (docs/development/provider-apis/smshosting.md 2.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
import re
from urllib.parse import quote

from ..decoding import Json
from ..errors import NotAcceptedError, OutcomeUnknownError, ProviderError
from ..model import (
    Cause,
    Channel,
    Invitation,
    MessageRef,
    Mode,
    Picture,
    PictureRef,
    PushPlan,
    SendResult,
    Submission,
)
from ..parsing import as_count, as_number, as_price
from ..pictures import PictureRule, picture_type, plain_filename
from ..transport import Upload
from .api import ENCODINGS, Api, accepted_body, format_moment, plain_number
from .results import parse_send
from .search import Search

PICTURE = PictureRule(
    types=frozenset({"image/jpeg", "image/png", "image/gif"}),
    max_bytes=2 * 1024 * 1024,
)
"""What is uploaded. The provider documents neither types nor sizes: these are what a
camera gives and every phone shows, and 2 MiB take half a minute on a slow line.
"""
_MAX_DOWNLOAD = 8 * 1024 * 1024
"""What is read back; a picture may have been sent from the panel."""

_LINK = re.compile(r"(?:https?://)?[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?(?:/[!-~]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Sends and reads Push messages; its methods raise ProviderError.

    Without a Push plan they are refused with the cause NO_PUSH_PLAN.
    """

    api: Api
    search: Search

    async def send(
        self, submission: Submission, channel: Channel, sender: str | None, mode: Mode
    ) -> SendResult:
        """Send a Push, with PUSH_THEN_SMS an SMS to those without the app."""
        form = _form(submission, channel, sender)
        form["transactionId"] = submission.reference
        if submission.send_at is not None:
            form["date"] = format_moment(submission.send_at)
        if mode is Mode.TEST:
            form["sandbox"] = "true"
        body = await self.api.post("push/send", form, _upload(submission))
        return parse_send(submission, body, channel, mode)

    async def estimate(
        self, submission: Submission, channel: Channel, sender: str | None
    ) -> Decimal:
        """Return what a Push, with its SMS, would cost in euro."""
        form = _form(submission, channel, sender)
        body = await self.api.post("push/estimate", form, _upload(submission))
        return parse_cost(body)

    async def left(self, number: str | None) -> tuple[PushPlan, int | None]:
        """Return whether there is a plan and how many messages it still has.

        Only an estimate has that, and it needs a number: the account's own. Nothing is
        raised: the credit must not depend on this.
        """
        if number is None:
            return PushPlan.UNKNOWN, None
        form = {"to": plain_number(number), "text": ".", "onlyPush": "false"}
        try:
            body = await self.api.post("push/estimate", {**form, "smsText": "."})
        except NotAcceptedError as err:
            no_plan = err.cause is Cause.NO_PUSH_PLAN
            return PushPlan.NONE if no_plan else PushPlan.UNKNOWN, None
        except ProviderError:
            return PushPlan.UNKNOWN, None
        left = as_count(body.get("pushAvailable"))
        return PushPlan.UNKNOWN if left is None else PushPlan.ACTIVE, left

    async def find_pictures(
        self, refs: Sequence[MessageRef]
    ) -> Mapping[MessageRef, PictureRef]:
        """Return the pictures of messages that have one."""
        return await self.search.pictures(refs)

    async def picture(self, picture_id: str) -> Picture:
        """Return a picture with the content type that its first bytes prove."""
        answer = await self.api.get(
            f"push/multimedia/{quote(picture_id, safe='')}", max_bytes=_MAX_DOWNLOAD
        )
        content_type = picture_type(answer.body)
        if content_type is None:
            accepted_body(answer)
        if content_type is None or answer.status // 100 != 2:  # noqa: PLR2004
            raise OutcomeUnknownError("no_picture")
        picture = Picture(
            content=answer.body, filename="picture.bin", content_type=content_type
        )
        return Picture(
            content=answer.body,
            filename=plain_filename(picture),
            content_type=content_type,
        )

    async def invite(self, number: str) -> Invitation:
        """Return a new link that invites a number to the app."""
        body = await self.api.post("push/invitation", {"to": plain_number(number)})
        url = body.get("url")
        if not isinstance(url, str) or not _LINK.fullmatch(url.strip()):
            raise OutcomeUnknownError("no_link")
        if as_number(body.get("to")) not in {None, number}:
            raise OutcomeUnknownError("another_number")
        return Invitation(number=number, url=url.strip())


def parse_cost(body: Mapping[str, Json]) -> Decimal:
    """Return the cost (euro) in the answer to an estimate of SMS or Push."""
    cost = as_price(body.get("cost"))
    if cost is None:
        raise OutcomeUnknownError("no_cost")
    return cost


def recipient_fields(submission: Submission) -> dict[str, str]:
    """Return the fields of a form that name the recipients."""
    form = {}
    if submission.recipients:
        form["to"] = ",".join(map(plain_number, submission.recipients))
    if submission.groups:
        form["group"] = ",".join(submission.groups)
    return form


def _form(
    submission: Submission, channel: Channel, sender: str | None
) -> dict[str, str]:
    """Return the fields that a send and an estimate have in common."""
    form = recipient_fields(submission)
    if submission.text:
        form["text"] = submission.text
    if channel is Channel.PUSH:
        return {**form, "onlyPush": "true"}
    form |= {
        "onlyPush": "false",
        "smsText": submission.text,
        "smsEncoding": ENCODINGS[submission.encoding],
    }
    if sender is not None:
        form["smsFrom"] = sender
    return form


def _upload(submission: Submission) -> Upload | None:
    """Return the picture of a submission as the file of a form."""
    if submission.picture is None:
        return None
    return Upload(
        name="file",
        filename=plain_filename(submission.picture),
        content_type=submission.picture.content_type,
        content=submission.picture.content,
    )
