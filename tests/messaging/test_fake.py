"""The fake provider is all that these tests know of providers and networks."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                found |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module)
            case _:
                pass
    return found


def is_known_here(module: str) -> bool:
    """Return whether these tests may import a module: of the providers, their door."""
    first, *rest = module.split(".")
    if first in {"aiohttp", "homeassistant", "simulator", "socket", "tests"}:
        return False
    return "providers" not in rest or rest[-1] == "providers"


def test_no_file_here_imports_a_provider_the_simulator_or_a_network() -> None:
    files = sorted(FOLDER.rglob("*.py"))
    assert len(files) > 20
    strangers = {
        path.name: [one for one in imported(path) if not is_known_here(one)]
        for path in files
    }
    assert not any(strangers.values()), strangers


def test_no_file_here_asks_the_registry() -> None:
    registry = "PRO" + "VIDERS"
    assert not [path for path in FOLDER.rglob("*.py") if registry in path.read_text()]
