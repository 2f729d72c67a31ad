"""The layers: rooms, messaging, providers; imports point down only."""

import ast
from collections.abc import Iterator
import importlib
from pathlib import Path

import pytest

from custom_components.sms_italia.providers import PROVIDERS

COMPONENT = Path(__file__).parents[1] / "custom_components" / "sms_italia"
PACKAGE = ("custom_components", "sms_italia")
SOURCES = sorted(COMPONENT.rglob("*.py"))
PROVIDERS_LAYER = COMPONENT / "providers"
MESSAGING_LAYER = COMPONENT / "messaging"
LAYERS = {
    "providers": (*PACKAGE, "providers"),
    "messaging": (*PACKAGE, "messaging"),
}


def imported(path: Path) -> Iterator[str]:
    """Yield the full dotted names of all that a file imports, wherever it does."""
    package = (*PACKAGE, *path.relative_to(COMPONENT).parts[:-1])
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


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder and the folders below it."""
    return [path for path in SOURCES if path.is_relative_to(folder)]


def owner(path: Path) -> str | None:
    """Return the module or the package directly under providers/ that a file is of."""
    if not path.is_relative_to(PROVIDERS_LAYER):
        return None
    return path.relative_to(PROVIDERS_LAYER).parts[0].removesuffix(".py")


def test_there_are_files_to_look_at() -> None:
    owners = {owner(path) for path in files_in(PROVIDERS_LAYER)}
    assert owners >= {"registry", *PROVIDERS}
    assert files_in(MESSAGING_LAYER)
    assert belongs("homeassistant.core", "homeassistant")
    assert f"{'.'.join(PACKAGE)}.providers.errors.NotAcceptedError" in imported(
        PROVIDERS_LAYER / "client.py"
    )


@pytest.mark.parametrize(
    "path",
    [*files_in(PROVIDERS_LAYER), *files_in(MESSAGING_LAYER)],
    ids=lambda path: str(path.relative_to(COMPONENT)),
)
def test_below_the_rooms_nothing_knows_home_assistant(path: Path) -> None:
    assert not [name for name in imported(path) if belongs(name, "homeassistant")]


@pytest.mark.parametrize(
    "path", files_in(PROVIDERS_LAYER), ids=lambda path: str(path.relative_to(COMPONENT))
)
def test_a_provider_client_imports_nothing_from_above(path: Path) -> None:
    assert not [
        name
        for name in imported(path)
        if belongs(name, *PACKAGE) and not belongs(name, *PACKAGE, "providers")
    ]


@pytest.mark.parametrize(
    "path", files_in(MESSAGING_LAYER), ids=lambda path: str(path.relative_to(COMPONENT))
)
def test_messaging_imports_nothing_from_above(path: Path) -> None:
    assert not [
        name
        for name in imported(path)
        if belongs(name, *PACKAGE)
        and not belongs(name, *PACKAGE, "providers")
        and not belongs(name, *PACKAGE, "messaging")
    ]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(COMPONENT))
)
def test_whoever_is_above_a_layer_imports_from_its_door_alone(
    path: Path, layer: str
) -> None:
    if path.is_relative_to(COMPONENT / layer):
        return
    door = ast.parse((COMPONENT / layer / "__init__.py").read_text())
    names = next(
        ast.literal_eval(node.value)
        for node in door.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__all__"
    )
    through = {f"{'.'.join(LAYERS[layer])}.{name}" for name in names}

    assert not [
        name
        for name in imported(path)
        if belongs(name, *LAYERS[layer]) and name not in through
    ]


def test_the_simulator_knows_nothing_of_the_component() -> None:
    """Else a wrong reading of a provider's page would be made twice by one line."""
    files = sorted((COMPONENT.parents[1] / "simulator").rglob("*.py"))

    assert files
    assert not [path for path in files if "custom_components" in path.read_text()]


# The shape of the messaging layer: few files, few floors, few arrows


def part_of(path: Path) -> str:
    """Return the file or the folder directly under messaging/ that a file is of."""
    return path.relative_to(MESSAGING_LAYER).parts[0]


def arrows() -> set[tuple[str, str]]:
    """Return which part of the messaging layer imports which."""
    parts = {part_of(path).removesuffix(".py") for path in files_in(MESSAGING_LAYER)}
    inner = {f"{'.'.join(LAYERS['messaging'])}.{part}": part for part in parts}
    return {
        (part_of(path).removesuffix(".py"), target)
        for path in files_in(MESSAGING_LAYER)
        for name in imported(path)
        for module, target in inner.items()
        if belongs(name, module) and target != part_of(path).removesuffix(".py")
    }


def floors(edges: set[tuple[str, str]]) -> int:
    """Return the length of the longest way down; raises RecursionError for a circle."""

    def floor(part: str) -> int:
        return 1 + max(
            (floor(below) for above, below in edges if above == part), default=0
        )

    return max(floor(above) for above, _ in edges)


def test_the_messaging_layer_is_a_few_files_in_eight_folders() -> None:
    folders: dict[str, list[Path]] = {}
    for path in files_in(MESSAGING_LAYER):
        if path.name != "__init__.py":
            folders.setdefault(
                str(path.parent.relative_to(MESSAGING_LAYER)), []
            ).append(path)

    assert folders.keys() == {
        ".",
        "compose",
        "delivery",
        "escalation",
        "health",
        "ledger",
        "reception",
        "state",
        "tracking",
    }
    assert len(folders.pop(".")) <= 6
    assert all(len(files) <= 9 for files in folders.values())


def test_its_parts_stand_on_few_floors_and_import_each_other_seldom() -> None:
    edges = arrows()

    assert len(edges) <= 72
    assert floors(edges) <= 7


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(COMPONENT))
)
def test_no_file_but_the_registry_and_its_own_names_a_provider(path: Path) -> None:
    """And the config flow, where each step of the menu is a method."""
    if path in {PROVIDERS_LAYER / "registry.py", COMPONENT / "config_flow.py"}:
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

    assert importers == {PROVIDERS_LAYER / "registry.py"}


@pytest.mark.parametrize("key", PROVIDERS)
def test_the_registry_takes_nothing_of_a_provider_but_its_description(key: str) -> None:
    module = importlib.import_module(".".join((*PACKAGE, "providers", key)))

    assert module.PROVIDER is PROVIDERS[key]
    if hasattr(module, "__path__"):
        assert module.__all__ == ["PROVIDER"]
