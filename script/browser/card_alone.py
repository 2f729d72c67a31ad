"""The card by itself: the focus of who uses the keyboard, and turning pages."""

from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

_START = Path(__file__).with_suffix(".js").read_text("utf-8")

_WHILE_WRITING = {
    "the credit changes": "alone.set('sensor.credit', '9')",
    "the colours change": "alone.themes = { darkMode: true }; alone.show()",
    "a message comes": "alone.change(10)",
    "a message is delivered": "alone.change(9, { status: 'delivered', actions: [] })",
    "a recipient goes": "delete alone.states['notify.bruno']; alone.show()",
    "Home Assistant restarts": "alone.states = {}; alone.show()",
    "the card is configured": "alone.card.setConfig({ rows: 3 })",
}
"""What happens while somebody writes, and how."""


_SENT = "alone.calls.some(([, action]) => action === 'send_sms')"
"""Whether the card asked for an SMS."""

_FAILED = "{ status: 'failed', actions: ['resend'] }"
_UNCERTAIN = "{ status: 'uncertain', actions: ['resend'] }"
_RESENT = "resent: true, actions: []"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAlone:
    """The steps on a card whose frontend and connection are made for them."""

    page: Page

    async def keep_writing(self) -> None:
        """Write a text while everything else changes."""
        await self._start()
        await self._run("alone.card.shadowRoot.querySelector('#message').focus()")
        await self.page.keyboard.type("Ciao")
        await self._run("alone.note()")
        for what, happens in _WHILE_WRITING.items():
            await self._run(happens)
            await self._expect("alone.kept", f"the focus stays while {what}")
            await self.page.keyboard.type("!")
        text = await self.page.evaluate("alone.noted.value")
        if text != "Ciao" + "!" * len(_WHILE_WRITING):
            raise AssertionError(f"something was lost of what was written: {text!r}")

    async def write_while_another_is_sent(self) -> None:
        """Write the next text before the one that is sent is answered."""
        await self._start()
        await self._run("alone.card.shadowRoot.querySelector('#message').focus()")
        await self.page.keyboard.type("Uno")
        await self._run("alone.hold()")
        await self._run("alone.card.shadowRoot.querySelector('form').requestSubmit()")
        await self._expect(_SENT, "the text is sent")
        await self.page.keyboard.type(" e due")
        await self._run(
            "alone.release({ response: { messages: [{ status: 'queued' }] } })"
        )
        await self._expect(
            "alone.card.shadowRoot.textContent.includes('Message to Anna')",
            "the answer is shown",
        )
        await self._expect(
            "alone.card.shadowRoot.querySelector('#message').value === 'Uno e due'",
            "what was typed meanwhile stays",
        )

    async def write_to_the_same(self) -> None:
        """Write to the first recipient, who is away for a moment."""
        await self._start()
        await self._run("alone.card.shadowRoot.querySelector('#message').focus()")
        await self.page.keyboard.type("Ciao")
        chosen = "alone.card.shadowRoot.querySelector('#recipient').value"
        await self._run(
            "alone.away = alone.states['notify.anna'];"
            "delete alone.states['notify.anna'];"
            "alone.show()"
        )
        await self._expect(f"{chosen} === ''", "nobody is chosen in her place")
        await self._run("alone.states['notify.anna'] = alone.away; alone.show()")
        await self._expect(f"{chosen} === 'notify.anna'", "she is chosen again")

    async def keep_acknowledging(self) -> None:
        """Reach the button of an escalation that goes on, and press it once."""
        await self._start()
        await self._focus("alone.button('Acknowledge')")
        await self._run(
            "alone.set('sensor.notte', 'calling', { member: 'Bruno' });"
            "alone.set('sensor.credit', '8')"
        )
        await self._expect("alone.kept", "the button keeps the focus")
        await self.page.keyboard.press("Enter")
        await self._run("alone.set('sensor.notte', 'acknowledged')")
        await self._expect(
            "alone.card.shadowRoot.activeElement?.matches('.messages')",
            "the list has the focus after the button",
        )

    async def keep_the_row(self) -> None:
        """Stay on a row while others come and go, and after its action."""
        await self._start("alone.card.setConfig({ rows: 4, view: 'waiting' })")
        await self._focus("alone.row(7).querySelector('.actions button')")
        await self._run("alone.change(9, { status: 'delivered', actions: [] })")
        await self._expect("alone.kept", "the focus stays while a row above goes")
        await self._run("alone.change(10)")
        await self._expect("alone.kept", "the focus stays while a row comes")
        await self._run("alone.hold()")
        for _ in range(2):
            await self.page.keyboard.press("Enter")
        await self._expect("alone.calls.length === 1", "two presses are one call")
        await self._expect("alone.kept", "the focus stays during the call")
        await self._run("alone.change(7, { actions: [] })")
        await self._expect(
            "alone.card.shadowRoot.activeElement === alone.row(7)",
            "the row has the focus after its button",
        )
        await self._run("alone.change(7, { status: 'delivered', actions: [] })")
        await self._expect(
            "alone.card.shadowRoot.activeElement?.matches('.messages')",
            "the list has the focus after its row",
        )

    async def show_numbers_apart(self) -> None:
        """Show the messages to two numbers of one recipient apart."""
        await self._start()
        await self._run(
            "alone.change(8, { to: '***111' }); alone.change(7, { to: '***222' })"
        )
        for number, to in ((8, "***111"), (7, "***222")):
            await self._expect(_says(number, to), "the row shows the number")
            await self._expect(
                f"alone.row({number}).querySelector('.actions button')"
                f".getAttribute('aria-label').includes({to!r})",
                "the button names it too",
            )

    async def warn_of_what_nobody_can_cancel(self) -> None:
        """Warn before and after a message is scheduled that nobody can cancel it."""
        await self._start()
        form = "alone.card.shadowRoot.querySelector('.compose')"
        warns = f"{form}.innerText.includes('does not cancel')"
        field = f"{form}.querySelector('#send-at')"
        await self._expect(f"!{warns}", "nothing is said of what is sent now")
        for moment, says in (("2036-12-24T22:00", warns), ("", f"!{warns}")):
            await self._run(
                f"{field}.value = {moment!r}; {field}.dispatchEvent(new Event('input'))"
            )
            await self._expect(says, f"with {moment!r} as moment the card says it")
        scheduled = "status: 'queued', send_at: '2036-12-24T22:00:00Z', actions: []"
        await self._run(f"alone.change(8, {{ {scheduled}, can_cancel: false }})")
        await self._run(f"alone.change(7, {{ {scheduled} }})")
        final = "cannot be cancelled"
        await self._expect(_says(8, final), "the row of such a message says it")
        await self._expect(f"!{_says(7, final)}", "that of another one does not")

    async def send_again_once(self) -> None:
        """Send again what failed: the row says so, and offers it no more."""
        await self._start()
        await self._run(f"alone.change(8, {_FAILED})")
        await self._run("alone.hold()")
        await self._focus("alone.row(8).querySelector('.actions button')")
        await self._run("alone.button('Send again').click()")
        await self._run("alone.button('Send again').click()")
        await self._expect(_says(8, "Sending again"), "the row says that it is sent")
        await self._expect("alone.calls.length === 1", "two presses are one call")
        await self._expect("alone.kept", "the focus stays during the call")
        await self._run("alone.release()")
        await self._expect(_says(8, "Sent again"), "the row says that it was sent")
        await self._run("alone.button('Send again').click()")
        await self._expect("alone.calls.length === 1", "a late press is no call")
        await self._run(f"alone.change(8, {{ ...{_FAILED}, {_RESENT} }})")
        await self._expect("!alone.button('Send again')", "it is offered no more")
        await self._expect(
            "alone.card.shadowRoot.activeElement === alone.row(8)",
            "the row has the focus after its button",
        )

    async def ask_before_a_doubt_is_sent_again(self) -> None:
        """Send again what may have arrived: only after a question."""
        await self._start()
        await self._run(f"alone.change(8, {_UNCERTAIN})")
        for key in ("Enter", "Escape"):
            await self._focus("alone.button('Send again')")
            await self.page.keyboard.press("Enter")
            await self._expect(_says(8, "It may have arrived"), "the row asks")
            await self._expect(
                "alone.card.shadowRoot.activeElement === alone.button('Do not send')",
                "the answer that sends nothing has the focus",
            )
            await self.page.keyboard.press(key)
            await self._expect("alone.kept", f"the button has it again after {key}")
        await self._expect("alone.calls.length === 0", "nothing was sent")
        await self.page.keyboard.press("Enter")
        await self.page.keyboard.press("Tab")
        await self.page.keyboard.press("Enter")
        await self._expect("alone.calls.length === 1", "it was sent")
        await self._run(f"alone.change(8, {{ {_RESENT} }})")
        await self._run(f"alone.change(7, {_UNCERTAIN})")
        await self._focus("alone.button('Send again')")
        await self.page.keyboard.press("Enter")
        await self._expect(_says(7, "It may have arrived"), "another row asks")
        await self._run("alone.change(7, { status: 'delivered', actions: [] })")
        await self._expect(
            f"!{_says(7, 'It may have arrived')}", "nothing is asked of what arrived"
        )
        await self._expect(
            "alone.card.shadowRoot.activeElement === alone.row(7)",
            "the row has the focus after the question",
        )

    async def turn_pages(self) -> None:
        """Turn one page at a time, however often the button is pressed."""
        await self._start()
        await self._run("alone.hold()")
        await self._focus("alone.button('Older')")
        for _ in range(3):
            await self.page.keyboard.press("Enter")
        await self._run("alone.release()")
        await self._expect(_rows(5, 4, 3, 2), "one page was turned")
        await self._expect("alone.asked.length === 2", "it was asked for once")
        await self._expect("alone.kept", "the button keeps the focus")
        await self.page.keyboard.press("Enter")
        await self._expect(_rows(1), "the last page is shown")
        await self._expect(
            "alone.card.shadowRoot.activeElement?.matches('.messages')",
            "the list has the focus where there is nothing older",
        )
        await self._focus("alone.button('Newer')")
        for _ in range(3):
            await self.page.keyboard.press("Enter")
        await self._expect(_rows(9, 8, 7, 6), "the first page is shown")
        await self._expect("!alone.button('Newer')", "there is nothing newer")
        await self._run("alone.card.remove()")

    async def _start(self, change: str = "") -> None:
        await self.page.evaluate(_START)
        await self._run(change)
        await self._expect("alone.rows().length === 4", "the messages are shown")

    async def _focus(self, which: str) -> None:
        """Give the focus to an element, and note it."""
        await self._run(f"{which}.focus(); alone.note()")

    async def _run(self, code: str) -> None:
        await self.page.evaluate(f"() => {{ {code} }}")

    async def _expect(self, condition: str, what: str) -> None:
        """Wait until a condition holds; raise AssertionError if it does not soon."""
        for _ in range(40):
            # Chromium takes the focus from what is hidden when it paints.
            await self.page.evaluate("() => new Promise(requestAnimationFrame)")
            if await self.page.evaluate(f"() => Boolean({condition})"):
                return
            await self.page.wait_for_timeout(25)
        raise AssertionError(f"not so: {what}")


def _says(number: int, text: str) -> str:
    """Return the condition that the row of a message shows a text."""
    return f"alone.row({number}).innerText.includes({text!r})"


def _rows(*numbers: int) -> str:
    """Return the condition that just these messages are shown."""
    return f"String(alone.rows()) === '{','.join(map(str, numbers))}'"
