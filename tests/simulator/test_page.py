"""The page of the simulator."""

import re

from simulator import Simulator

from .caller import Caller


async def test_the_page_loads_nothing_from_elsewhere(
    simulator: Simulator, caller: Caller
) -> None:
    """All it refers to is served by the simulator, and its policy allows no more."""
    page = await caller.ask("GET", f"{simulator.address}/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert named == ["/page.css", "/page.js"]
    for path in named:
        found = await caller.ask("GET", f"{simulator.address}{path}")
        assert (found.status, len(found.body) > 1000) == (200, True)
        assert "//" not in re.sub(r"^\s*// .*$", "", found.text, flags=re.MULTILINE)


async def test_the_script_never_makes_markup_of_a_text(
    simulator: Simulator, caller: Caller
) -> None:
    """A message is shown as it is."""
    script = (await caller.ask("GET", f"{simulator.address}/page.js")).text
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
        assert way not in script
