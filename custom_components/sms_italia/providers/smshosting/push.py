"""Smshosting: what only its Push API has (smshosting-push.txt)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
import re
from urllib.parse import quote

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
from ..transport import Json, Upload
from .api import ENCODINGS, Wire, accepted_body, without_plus, written
from .results import sent
from .search import Search

PICTURE = PictureRule(
    types=frozenset({"image/jpeg", "image/png", "image/gif"}),
    max_bytes=2 * 1024 * 1024,
)
"""What we upload. The page names neither types nor sizes: these are what a camera
gives and what every phone shows, and 2 MiB go up even a slow line in half a minute.
"""
_MAX_DOWNLOAD = 8 * 1024 * 1024
"""What we read back; a picture may have been sent from the panel."""

_LINK = re.compile(r"(?:https?://)?[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?(?:/[!-~]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Sends and reads Push messages; all raise ProviderError.

    Without a Push plan all are refused, with the cause NO_PUSH_PLAN.
    """

    wire: Wire
    search: Search

    async def send(
        self, submission: Submission, channel: Channel, sender: str | None, mode: Mode
    ) -> SendResult:
        """Send a Push, and an SMS to those without the app if the channel says so."""
        form = _form(submission, channel, sender)
        form["transactionId"] = submission.reference
        if submission.send_at is not None:
            form["date"] = written(submission.send_at)
        if mode is Mode.TEST:
            form["sandbox"] = "true"
        body = await self.wire.post("push/send", form, _upload(submission))
        return sent(submission, body, channel, mode)

    async def estimate(
        self, submission: Submission, channel: Channel, sender: str | None
    ) -> Decimal:
        """Return what a Push, with its SMS, would cost in euro."""
        form = _form(submission, channel, sender)
        body = await self.wire.post("push/estimate", form, _upload(submission))
        return read_cost(body)

    async def left(self, number: str | None) -> tuple[PushPlan, int | None]:
        """Return whether there is a plan and how many messages it still has.

        Only an estimate tells, and that needs a number: the account's own. Nothing is
        raised: that the credit is known must not depend on this.
        """
        if number is None:
            return PushPlan.NOT_TOLD, None
        form = {"to": without_plus(number), "text": ".", "onlyPush": "false"}
        try:
            body = await self.wire.post("push/estimate", {**form, "smsText": "."})
        except NotAcceptedError as err:
            no_plan = err.cause is Cause.NO_PUSH_PLAN
            return PushPlan.NONE if no_plan else PushPlan.NOT_TOLD, None
        except ProviderError:
            return PushPlan.NOT_TOLD, None
        left = as_count(body.get("pushAvailable"))
        return PushPlan.NOT_TOLD if left is None else PushPlan.ACTIVE, left

    async def find_pictures(
        self, refs: Sequence[MessageRef]
    ) -> Mapping[MessageRef, PictureRef]:
        """Find the pictures of messages that have one."""
        return await self.search.pictures(refs)

    async def picture(self, picture_id: str) -> Picture:
        """Read a picture, whatever content type the server calls it."""
        answer = await self.wire.get(
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
        """Create a link that invites a number to the app."""
        body = await self.wire.post("push/invitation", {"to": without_plus(number)})
        url = body.get("url")
        if not isinstance(url, str) or not _LINK.fullmatch(url.strip()):
            raise OutcomeUnknownError("no_link")
        if as_number(body.get("to")) not in {None, number}:
            raise OutcomeUnknownError("another_number")
        return Invitation(number=number, url=url.strip())


def read_cost(body: Mapping[str, Json]) -> Decimal:
    """Return the cost (euro) that an estimate of SMS or Push names."""
    cost = as_price(body.get("cost"))
    if cost is None:
        raise OutcomeUnknownError("no_cost")
    return cost


def addressed(submission: Submission) -> dict[str, str]:
    """Return the fields of a form that say who shall get it."""
    form = {}
    if submission.recipients:
        form["to"] = ",".join(map(without_plus, submission.recipients))
    if submission.groups:
        form["group"] = ",".join(submission.groups)
    return form


def _form(
    submission: Submission, channel: Channel, sender: str | None
) -> dict[str, str]:
    """Return what a send and an estimate have in common."""
    form = addressed(submission)
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
    """Return the picture of a submission as a file of a form."""
    if submission.picture is None:
        return None
    return Upload(
        name="file",
        filename=plain_filename(submission.picture),
        content_type=submission.picture.content_type,
        content=submission.picture.content,
    )
