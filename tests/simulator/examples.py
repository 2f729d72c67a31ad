"""Runs requests in the languages in which the providers' pages show theirs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
import json
import shutil
import sys

import pytest

LANGUAGES = ("curl", "python", "node")

_PYTHON = """
import json, sys, urllib.error, urllib.request
method, url, headers, body = sys.argv[1:]
request = urllib.request.Request(
    url, body.encode() or None, json.loads(headers), method=method
)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode())
"""
_NODE = """
const [method, url, headers, body] = process.argv.slice(1);
fetch(url, { method, headers: JSON.parse(headers), body: body || undefined })
  .then((answer) => answer.text())
  .then(console.log);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request as it is written on a page; `curl` are the options of that tool.

    The rest is the same request for the other languages.
    """

    path: str
    curl: tuple[str, ...] = ()
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


async def run(language: str, base: str, example: Example) -> str:
    """Make the request of an example to another host; return what was answered."""
    url = f"{base}{example.path}"
    if language == "curl":
        return await execute("curl", "--silent", *example.curl, url)
    arguments = (example.method, url, json.dumps({**example.headers}), example.body)
    return await run_script(language, {"python": _PYTHON, "node": _NODE}, *arguments)


async def run_script(language: str, scripts: Mapping[str, str], *arguments: str) -> str:
    """Run the script of a language; return what it printed."""
    if language == "node":
        return await execute("node", "-e", scripts[language], *arguments)
    return await execute(sys.executable, "-c", scripts[language], *arguments)


async def execute(program: str, *arguments: str) -> str:
    """Run a program, skipping the test where it is missing; return what it printed."""
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here")
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE
    )
    shown, _ = await process.communicate()
    assert process.returncode == 0
    return shown.decode().strip()
