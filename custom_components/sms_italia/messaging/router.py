"""Getting the messages of a dispatch taken: account after account, none twice."""

from collections.abc import Sequence

from .model import Dispatch, Message, Stage
from .offering import Ground
from .passage import NewPassage, Passage


class Router(Ground):
    """Sends along the route: the account that was asked, then its fallbacks."""

    async def deliver_new(
        self, dispatch: Dispatch, messages: Sequence[Message], closed: Sequence[Message]
    ) -> None:
        """Enter a dispatch that is not in the book yet, and send its messages.

        `closed` are those of it that nothing can be done about.
        """
        await NewPassage(self, dispatch, messages, closed).run()

    async def deliver(self, messages: Sequence[Message], round_began: float) -> None:
        """Send those messages of one dispatch that still wait in the book.

        One that is under way already has its turn first, and may wait no more then.
        An account that rested when the round of the outbox began (by the monotonic
        clock), or failed or was gone since, is left alone until the next one: otherwise
        a message could get past an older one.
        """
        for message in messages:
            if (end := self.under_way.get(message.id)) is not None:
                await end.wait()
        dispatch = messages[0].dispatch
        known = (self.book.get(message.id) for message in messages)
        waiting = [one for one in known if one and one.stage is Stage.WAITING]
        if waiting and dispatch.account in self.accounts:
            await Passage(self, dispatch, waiting, round_began).run()
