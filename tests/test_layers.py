"""The layers: rooms, messaging, providers; imports point down only."""

import ast
from collections.abc import Iterator
import importlib
from pathlib import Path

import pytest

from custom_components.sms_italia.providers.registry import PROVIDERS

HOUSE = Path(__file__).parents[1] / "custom_components" / "sms_italia"
PACKAGE = ("custom_components", "sms_italia")
SOURCES = sorted(HOUSE.rglob("*.py"))
PROVIDERS_ROOM = HOUSE / "providers"
MESSAGING_ROOM = HOUSE / "messaging"


def imported(path: Path) -> Iterator[str]:
    """Yield the full dotted names of all that a file imports, wherever it does."""
    package = (*PACKAGE, *path.relative_to(HOUSE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=module, level=level):
                base = package[: len(package) - level + 1] if level else ()
                start = ".".join((*base, *([module] if module else [])))
                yield from (f"{start}.{alias.name}" for alias in node.names)
            case _:
                pass


def words(path: Path) -> Iterator[str]:
    """Yield the names and the strings of a file, docstrings left out."""
    tree = ast.parse(path.read_text())
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        )
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() as text) if id(node) not in prose:
                yield text
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.alias(name=name):
                yield name
            case _:
                pass


def belongs(name: str, *package: str) -> bool:
    """Return whether a dotted name is the package or in it."""
    start = ".".join(package)
    return name == start or name.startswith(f"{start}.")


def in_room(room: Path) -> list[Path]:
    """Return the files of a room."""
    return [path for path in SOURCES if path.is_relative_to(room)]


def owner(path: Path) -> str | None:
    """Return the module or the package directly under providers/ that a file is of."""
    if not path.is_relative_to(PROVIDERS_ROOM):
        return None
    return path.relative_to(PROVIDERS_ROOM).parts[0].removesuffix(".py")


def test_there_are_files_to_look_at() -> None:
    owners = {owner(path) for path in in_room(PROVIDERS_ROOM)}
    assert owners >= {"registry", *PROVIDERS}
    assert in_room(MESSAGING_ROOM)
    assert belongs("homeassistant.core", "homeassistant")
    assert f"{'.'.join(PACKAGE)}.providers.errors.NotAcceptedError" in imported(
        PROVIDERS_ROOM / "client.py"
    )


@pytest.mark.parametrize(
    "path",
    [*in_room(PROVIDERS_ROOM), *in_room(MESSAGING_ROOM)],
    ids=lambda path: str(path.relative_to(HOUSE)),
)
def test_below_the_rooms_nothing_knows_home_assistant(path: Path) -> None:
    assert not [name for name in imported(path) if belongs(name, "homeassistant")]


@pytest.mark.parametrize(
    "path", in_room(PROVIDERS_ROOM), ids=lambda path: str(path.relative_to(HOUSE))
)
def test_a_provider_client_imports_nothing_from_above(path: Path) -> None:
    assert not [
        name
        for name in imported(path)
        if belongs(name, *PACKAGE) and not belongs(name, *PACKAGE, "providers")
    ]


@pytest.mark.parametrize(
    "path", in_room(MESSAGING_ROOM), ids=lambda path: str(path.relative_to(HOUSE))
)
def test_messaging_imports_nothing_from_above(path: Path) -> None:
    assert not [
        name
        for name in imported(path)
        if belongs(name, *PACKAGE)
        and not belongs(name, *PACKAGE, "providers")
        and not belongs(name, *PACKAGE, "messaging")
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_file_but_the_registry_and_its_own_names_a_provider(path: Path) -> None:
    if path == PROVIDERS_ROOM / "registry.py":
        return
    others = set(PROVIDERS) - {owner(path)}

    named = {key for word in words(path) for key in others if key in word.casefold()}

    assert not named


def test_the_registry_is_the_only_way_to_a_provider_module() -> None:
    importers = {
        path
        for path in SOURCES
        for key in set(PROVIDERS) - {owner(path)}
        if any(belongs(name, *PACKAGE, "providers", key) for name in imported(path))
    }

    assert importers == {PROVIDERS_ROOM / "registry.py"}


@pytest.mark.parametrize("key", PROVIDERS)
def test_the_registry_takes_nothing_of_a_provider_but_its_description(key: str) -> None:
    module = importlib.import_module(".".join((*PACKAGE, "providers", key)))

    assert module.PROVIDER is PROVIDERS[key]
    if hasattr(module, "__path__"):
        assert module.__all__ == ["PROVIDER"]
