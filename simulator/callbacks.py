"""The callbacks of simulated providers: delivery reports to the client's address."""

import asyncio
from collections.abc import Callable

import aiohttp
from yarl import URL

from .exchange import DeliveryReport
from .model import Callback

TIMEOUT_SECONDS = 5
RESEND_PAUSE_SECONDS = 0.1
SERVER_ERROR = 500


class Callbacks:
    """Sends delivery reports in the background."""

    def __init__(self, record: Callable[[Callback], None]) -> None:
        """Pass every attempt to `record`."""
        self._record = record
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, provider: str, message_id: str, report: DeliveryReport) -> None:
        """Send a report in the background; `message_id` is "" for many messages."""
        task = asyncio.create_task(self._send(provider, message_id, report))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until every report that was started has been sent or has failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Cancel the reports that are still being sent."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(
        self, provider: str, message_id: str, report: DeliveryReport
    ) -> None:
        """Send one report; after an answer of 500 or more, again if it allows that."""
        for attempt in range(1, report.resends + 2):
            status = await self._attempt(report)
            self._record(
                Callback(
                    provider=provider,
                    message_id=message_id,
                    method=report.method,
                    url=report.url,
                    encoding=report.encoding,
                    payload=report.payload,
                    attempt=attempt,
                    status=status,
                )
            )
            if status is None or status < SERVER_ERROR:
                return
            await asyncio.sleep(RESEND_PAUSE_SECONDS)

    async def _attempt(self, report: DeliveryReport) -> int | None:
        """Make one request and return its HTTP status; None if there was no answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
            )
        texts = {name: str(value) for name, value in report.payload.items()}
        as_query = report.encoding == "query"
        as_json = report.encoding == "json"
        try:
            url = URL(report.url)
            async with self._session.request(
                report.method,
                url.update_query(texts) if as_query else url,
                data=texts if report.encoding == "form" else None,
                json=report.payload if as_json else None,
                allow_redirects=False,
            ) as response:
                return response.status
        except aiohttp.ClientError, TimeoutError, OSError, ValueError:
            return None
