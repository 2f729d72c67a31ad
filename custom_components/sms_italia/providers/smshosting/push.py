"""Smshosting: the Push API (docs/development/provider-apis/smshosting.md 2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
import re
from urllib.parse import quote

from ..errors import NotAcceptedError, OutcomeUnknownError, ProviderError
from ..http_status import Purpose
from ..model import (
    Cause,
    Channel,
    Invitation,
    Mode,
    Picture,
    PushPlan,
    SendResult,
    Submission,
)
from ..parsing import as_count, as_number, as_price
from ..pictures import PictureRule, picture_type, plain_filename
from ..transport import SHORT_ANSWER_BYTES, Answer, Upload
from .api import Api, accepted_object
from .forms import plain_number, push_fields, sending_fields
from .results import id_finder, read_send
from .text import count_parts, without_placeholders

PICTURE = PictureRule(
    types=frozenset({"image/jpeg", "image/png", "image/gif"}),
    max_bytes=2 * 1024 * 1024,
)
"""What is uploaded. The provider documents neither types nor sizes: these are what a
camera gives and every phone shows, and 2 MiB take half a minute on a slow line.
"""
_MAX_DOWNLOAD = 8 * 1024 * 1024
"""What is read back; a picture may have been sent from the panel."""

_MAX_SMS_PARTS = 5
"""Of the SMS to those without the app: one of more parts goes to all as plain SMS."""

_NOTHING: frozenset[str] = frozenset()
_ESTIMATED = frozenset({"cost", "userCredit", "smsCount", "pushCount", "pushAvailable"})
"""Fields of the documented answer to an estimate of SMS or Push."""
_INVITED = frozenset({"to", "url"})

_LINK = re.compile(r"(?:https?://)?[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?(?:/[!-~]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Sends and reads Push messages; its methods raise ProviderError.

    Without a Push plan they are refused with the cause NO_PUSH_PLAN.
    """

    api: Api

    async def send(
        self, submission: Submission, channel: Channel, sender: str | None, mode: Mode
    ) -> SendResult:
        """Send a Push, with PUSH_THEN_SMS an SMS to those without the app."""
        form = push_fields(submission, channel, sender)
        form |= sending_fields(submission, mode)
        answer = await self.api.post(
            "push/send", form, _upload(submission), find_id=id_finder(submission)
        )
        return read_send(submission, answer, channel, mode)

    async def estimate(
        self, submission: Submission, channel: Channel, sender: str | None
    ) -> Decimal:
        """Return what a Push, with its SMS, would cost in euro."""
        form = push_fields(submission, channel, sender)
        return read_cost(await self._estimate(form, _upload(submission)))

    async def left(self, number: str | None) -> tuple[PushPlan, int | None]:
        """Return whether there is a plan and how many messages it still has.

        Only an estimate has that, and it needs a number. Nothing is raised: the credit
        must not depend on this.
        """
        if number is None:
            return PushPlan.UNKNOWN, None
        form = {"to": plain_number(number), "text": ".", "onlyPush": "false"}
        try:
            answer = await self._estimate({**form, "smsText": "."})
            body = accepted_object(answer, Purpose.QUESTION, _ESTIMATED)
        except NotAcceptedError as err:
            no_plan = err.cause is Cause.NO_PUSH_PLAN
            return PushPlan.NONE if no_plan else PushPlan.UNKNOWN, None
        except ProviderError:
            return PushPlan.UNKNOWN, None
        left = as_count(body.get("pushAvailable"))
        return PushPlan.UNKNOWN if left is None else PushPlan.ACTIVE, left

    async def _estimate(
        self, form: Mapping[str, str], upload: Upload | None = None
    ) -> Answer:
        """Return the answer to an estimate."""
        return await self.api.post(
            "push/estimate", form, upload, max_bytes=SHORT_ANSWER_BYTES
        )

    async def picture(self, picture_id: str) -> Picture:
        """Return a picture with the content type that its first bytes prove."""
        answer = await self.api.get(
            f"push/multimedia/{quote(picture_id, safe='')}", max_bytes=_MAX_DOWNLOAD
        )
        content_type = picture_type(answer.body)
        if content_type is None:
            accepted_object(answer, Purpose.QUESTION, _NOTHING)
        if content_type is None or not answer.is_success:
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
        form = {"to": plain_number(number)}
        answer = await self.api.post(
            "push/invitation", form, max_bytes=SHORT_ANSWER_BYTES
        )
        body = accepted_object(answer, Purpose.QUESTION, _INVITED)
        url = body.get("url")
        if not isinstance(url, str) or not _LINK.fullmatch(url.strip()):
            raise OutcomeUnknownError("no_link")
        if as_number(body.get("to")) not in {None, number}:
            raise OutcomeUnknownError("another_number")
        return Invitation(number=number, url=url.strip())


def read_cost(answer: Answer) -> Decimal:
    """Return the cost (euro) in the answer to an estimate of SMS or Push."""
    body = accepted_object(answer, Purpose.QUESTION, _ESTIMATED)
    cost = as_price(body.get("cost"))
    if cost is None:
        raise OutcomeUnknownError("no_cost")
    return cost


def fits_push(submission: Submission) -> bool:
    """Return whether the text can be the SMS beside a Push."""
    text = without_placeholders(submission.text, submission.encoding)
    return count_parts(text, submission.encoding) <= _MAX_SMS_PARTS


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
