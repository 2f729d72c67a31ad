"""The simulator as a command."""

import asyncio
from asyncio.subprocess import PIPE
from pathlib import Path
import re
import signal
import sys

import aiohttp
import pytest

from simulator import Simulator

ROOT = Path(__file__).parents[2]


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    """Run the command."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulator",
        *arguments,
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_serves_until_it_gets_a_signal(
    socket_enabled: None,  # noqa: ARG001 - the kit blocks sockets without it
    number: signal.Signals,
) -> None:
    """It prints the addresses and the demo credentials, and ends with 0."""
    process = await _start("--port", "0", "--deliver-after", "1")
    assert process.stdout is not None
    assert process.stderr is not None
    text = ""
    async with asyncio.timeout(30):
        while "password" not in text:
            line = await process.stdout.readline()
            assert line, await process.stderr.read()
            text += line.decode()
    urls = re.findall(r"url: (\S+)", text)
    assert len(urls) == 4
    async with aiohttp.ClientSession() as session, session.get(f"{urls[3]}/x") as reply:
        assert reply.status == 404
    process.send_signal(number)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_the_command_says_that_the_port_is_taken(simulator: Simulator) -> None:
    """And ends with 1."""
    process = await _start("--port", simulator.address.rpartition(":")[2])
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.startswith(b"Cannot listen")
