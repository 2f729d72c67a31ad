"""The one request that calls a member, and which refusals end it."""

from pathlib import Path

import pytest

from custom_components.sms_italia.messaging import (
    Member,
    MemberDetails,
    Plan,
    Refusal,
    RequestRefusedError,
    Run,
    SendRequest,
)
from custom_components.sms_italia.messaging.account import Accounts
from custom_components.sms_italia.messaging.clock import Moment
from custom_components.sms_italia.messaging.escalation.caller import Caller, CallResult
from custom_components.sms_italia.messaging.escalation.model import Copy
from custom_components.sms_italia.messaging.escalation.transitions import begun
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.messaging.model import RunCall

from ..delivery.context import a_context
from ..fake import ONE
from ..helpers import NUMBER, STILL, Harness

ANNA = Member(account=ONE, recipient="anna")
PLAN = Plan(id="notte", account=ONE, name="Notte", members=(ANNA,), wait=300)
COPY = Copy(dispatch=5, texts=(0,))


class Sender:
    """Takes requests as the messenger does, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        """Raise `error`, if there is one."""
        self.requests: list[SendRequest] = []
        self._error = error

    async def send(self, request: SendRequest) -> None:
        """Keep a request."""
        self.requests.append(request)
        if self._error is not None:
            raise self._error


def a_run() -> Run:
    """Return a run with one text, which a user asked for."""
    return begun(PLAN, ["Allarme"], 7, Moment(steady=0, wall=0), "u")


def a_caller(harness: Harness, sender: Sender, *, is_there: bool = True) -> Caller:
    """Return what calls the one member, whose account is there or not."""
    accounts, clock = Accounts(lambda _: False), harness.time.clock()
    if is_there:
        accounts.attach(harness.account(ONE))
    ledger = Ledger(Path("unused"), harness.troubles.append, clock)
    details = MemberDetails(name="Anna", numbers=(NUMBER,))
    return Caller(
        a_context(accounts, ledger, clock, STILL), sender.send, lambda _: details
    )


async def test_the_request_says_whose_it_is_and_which_run_and_dispatch(
    harness: Harness,
) -> None:
    sender = Sender()
    caller = a_caller(harness, sender)
    assert await caller.call(a_run(), ANNA, COPY) is CallResult.SENT
    (request,) = sender.requests
    assert request.call == RunCall(run=7, dispatch=5)
    assert (request.account, request.text) == (ONE, "Allarme")
    assert request.user == "u"
    assert [target.given for target in request.targets] == [NUMBER]


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (RequestRefusedError(Refusal.DAILY_LIMIT), CallResult.REFUSED),
        (RequestRefusedError(Refusal.INVALID_NUMBER), CallResult.REFUSED),
        (RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED), CallResult.NOT_YET),
        (RuntimeError("a fault of ours"), CallResult.REFUSED),
    ],
)
async def test_only_an_account_that_may_come_back_is_no_refusal(
    harness: Harness, error: Exception, result: CallResult
) -> None:
    """A fault of ours must not keep a run open for ever."""
    caller = a_caller(harness, Sender(error))
    assert await caller.call(a_run(), ANNA, COPY) is result
    assert caller.can_send(ANNA, COPY), "nothing is in flight any more"


async def test_without_an_account_nothing_is_asked_for(harness: Harness) -> None:
    sender = Sender()
    caller = a_caller(harness, sender, is_there=False)
    assert not caller.can_send(ANNA, COPY)
    assert await caller.call(a_run(), ANNA, COPY) is CallResult.NOT_YET
    assert sender.requests == []
