"""The provider of docs/development/add-a-provider.md, put into a copy of the code.

Two files and a line in each registry are all that the contract suite needs.
"""

from pathlib import Path
import re
import shutil
import subprocess
import sys

import pytest

from simulator import Fault

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "development" / "add-a-provider.md"
KEY = "quinto"
CLIENT = f"custom_components/sms_italia/providers/{KEY}.py"
SIMULATOR = f"simulator/providers/{KEY}.py"
CONTRACT = "tests/providers/test_contract.py"
SUITE = (
    CONTRACT,
    "tests/providers/test_features.py",
    "tests/providers/test_hostile.py",
    "tests/providers/test_registry.py",
    "tests/test_layers.py",
)
REGISTRIES = {
    "custom_components/sms_italia/providers/registry.py": f"{KEY}, ",
    "simulator/registry.py": f"{KEY}.PROVIDER, ",
}
"""What is added to the tuple of each."""

_CODE = re.compile(r"(?ms)^`(?P<path>\S+\.py)`:\n\n```python\n(?P<code>.*?)^```$")
_IMPORT = re.compile(r"(?m)^(from \.(?:providers)? import \(?\s*)")
_TUPLE = re.compile(r"(\bin \(\s*)")
_CLOSING = re.compile(r"(?m)^(?:(?P<failed>\d+) failed, )?(?P<passed>\d+) passed")


def code_of_the_guide() -> dict[str, str]:
    """Return the code blocks of the guide by the paths of their files."""
    text = GUIDE.read_text("utf-8")
    assert text.count("```python") == 2
    return {found["path"]: found["code"] for found in _CODE.finditer(text)}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the code in which the provider is the fifth one."""
    for room in ("custom_components", "simulator", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, tmp_path / room, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, code in code_of_the_guide().items():
        assert not (tmp_path / path).exists()
        (tmp_path / path).write_text(code, "utf-8")
    for path, entry in REGISTRIES.items():
        source = (tmp_path / path).read_text("utf-8")
        source, imports = _IMPORT.subn(rf"\g<1>{KEY}, ", source)
        source, tuples = _TUPLE.subn(rf"\g<1>{entry}", source)
        assert (imports, tuples) == (1, 1)
        (tmp_path / path).write_text(source, "utf-8")
    return tmp_path


def run(copy: Path, chosen: str, *files: str) -> tuple[int, int, str]:
    """Run the chosen tests of the copy; return how many failed, how many passed, all.

    With the same plugin as this run: the newest release needs it (script/test).
    """
    early = "tests.early_homeassistant"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--basetemp", str(copy / "basetemp")]
    command += ["-p", early] if early in sys.modules else []
    finished = subprocess.run(  # noqa: S603 - our own code
        [*command, "-k", chosen, *files],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    shown = finished.stdout + finished.stderr
    closing = _CLOSING.search(shown)
    assert closing is not None, shown
    failed = int(closing["failed"] or 0)
    assert finished.returncode == (1 if failed else 0), shown
    return failed, int(closing["passed"]), shown


def test_the_guide_has_the_client_and_the_simulated_provider() -> None:
    assert code_of_the_guide().keys() == {CLIENT, SIMULATOR}


def test_two_files_and_a_line_in_each_registry_fulfil_the_contract(copy: Path) -> None:
    failed, passed, shown = run(copy, f"{KEY} or test_layers", *SUITE)

    assert not failed, shown
    assert passed > 3 * len(Fault)


def test_a_fifth_provider_that_takes_a_cut_answer_for_accepted_fails(
    copy: Path,
) -> None:
    client = copy / CLIENT
    honest = 'provider_id = as_identifier(answer.get("id"))'
    source = client.read_text("utf-8")
    assert source.count(honest) == 1
    client.write_text(source.replace(honest, f'{honest} or "1"'), "utf-8")

    failed, passed, shown = run(copy, f"{KEY} and send_through_a_fault", CONTRACT)

    found = set(re.findall(rf"(?m)^FAILED .*\[(\w+)-{KEY}\]", shown))
    # What is not in the provider's own format is a doubt before the client looks for
    # an ID.
    assert found == {Fault.WRONG_TYPES}
    assert (failed, passed) == (len(found), len(Fault) - len(found)), shown
