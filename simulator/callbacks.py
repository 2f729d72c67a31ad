"""The calls a simulated provider makes: delivery reports to the client's address."""

import asyncio
from collections.abc import Callable

import aiohttp
from yarl import URL

from .exchange import Notification
from .model import Callback, Message

TIMEOUT_SECONDS = 5
RESEND_PAUSE_SECONDS = 0.1
SERVER_ERROR = 500


class Callbacks:
    """Sends reports in tasks of its own, which end with it at the latest."""

    def __init__(self, record: Callable[[Callback], None]) -> None:
        """Hand every attempt to `record`."""
        self._record = record
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, message: Message, notification: Notification) -> None:
        """Send a report in the background."""
        task = asyncio.create_task(self._send(message, notification))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until every report that was started is through."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stop what is still running."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, message: Message, notification: Notification) -> None:
        """Send one report, again after an answer of 500 or more if it may."""
        for attempt in range(1, notification.resends + 2):
            status = await self._attempt(notification)
            self._record(
                Callback(
                    provider=message.provider,
                    message_id=message.id,
                    method=notification.method,
                    url=notification.url,
                    payload=notification.payload,
                    attempt=attempt,
                    status=status,
                )
            )
            if status is None or status < SERVER_ERROR:
                return
            await asyncio.sleep(RESEND_PAUSE_SECONDS)

    async def _attempt(self, notification: Notification) -> int | None:
        """Make one call and return the status, None if there was no answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
            )
        texts = {name: str(value) for name, value in notification.payload.items()}
        as_query = notification.encoding == "query"
        as_json = notification.encoding == "json"
        try:
            url = URL(notification.url)
            async with self._session.request(
                notification.method,
                url.update_query(texts) if as_query else url,
                data=texts if notification.encoding == "form" else None,
                json=notification.payload if as_json else None,
                allow_redirects=False,
            ) as response:
                return response.status
        except aiohttp.ClientError, TimeoutError, OSError, ValueError:
            return None
