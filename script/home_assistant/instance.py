"""An instance of Home Assistant: its configuration folder, its port, its process."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from . import configuration
from .process import Process, free_port
from .requirements import not_built
from .waiting import HomeAssistantError


class Instance:
    """A configuration folder and a port of this machine to run Home Assistant on."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Use this folder; without a port, a free one."""
        self.folder = folder
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The file with all that its processes print."""
        return self.folder / "home-assistant.out"

    def create(self) -> None:
        """Make the folder, in place of an old one."""
        configuration.create(self.folder, self.port)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Process]:
        """Run Home Assistant; at the end stop it, or kill it if it does not stop."""
        process = Process(self._arguments(), self.log, self._environment())
        await process.start()
        try:
            yield process
        finally:
            with suppress(HomeAssistantError):
                await process.stop()

    def _arguments(self) -> Sequence[str]:
        """Return the arguments of Python that start Home Assistant."""
        skipped = not_built()
        return [
            "-m",
            "homeassistant",
            "--config",
            str(self.folder),
            "--log-no-color",
            *(["--skip-pip-packages", ",".join(skipped)] if skipped else []),
        ]

    def _environment(self) -> Mapping[str, str]:
        """Return what the process has in its environment beside our own."""
        return {}
