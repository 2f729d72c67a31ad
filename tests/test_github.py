"""What a contributor meets on GitHub, and what checks a commit."""

from collections.abc import Mapping
from pathlib import Path
import re
import subprocess
from typing import Any

from homeassistant.util.yaml import load_yaml_dict
import pytest

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in TEMPLATES.glob("*.yml") if path.stem != "config")
EACH_FORM = pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)

INPUTS = {"checkboxes", "dropdown", "input", "textarea"}


def fields(path: Path) -> list[Mapping[str, Any]]:
    """Return what a form asks for."""
    body: list[Mapping[str, Any]] = load_yaml_dict(str(path))["body"]
    return [part for part in body if part["type"] != "markdown"]


@EACH_FORM
def test_github_accepts_a_form(path: Path) -> None:
    """As its syntax for issue forms says: else it shows an empty issue."""
    form = load_yaml_dict(str(path))

    assert form.keys() <= {"name", "description", "labels", "body", "title"}
    assert form["name"]
    assert form["description"]
    ids = [part["id"] for part in fields(path)]
    assert len(ids) == len({*ids})
    for part in fields(path):
        assert part["type"] in INPUTS
        assert part["attributes"]["label"]


def test_a_bug_comes_with_diagnostics_and_without_numbers() -> None:
    """Both are asked for before the form can be sent."""
    parts = {part["id"]: part for part in fields(TEMPLATES / "bug.yml")}
    start = load_yaml_dict(str(TEMPLATES / "bug.yml"))["body"][0]

    assert "No phone numbers" in start["attributes"]["value"]
    assert "Niente numeri di telefono" in start["attributes"]["value"]
    assert parts["diagnostics"]["validations"]["required"] is True
    (promise,) = parts["private"]["attributes"]["options"]
    assert "no phone number" in promise["label"]
    assert promise["required"] is True


def test_an_issue_needs_a_form() -> None:
    assert (
        load_yaml_dict(str(TEMPLATES / "config.yml"))["blank_issues_enabled"] is False
    )


def test_a_commit_is_checked_by_all_that_lint_runs() -> None:
    """In the same versions: each hook runs script/lint."""
    checks = re.findall(
        r"^check (\S+) ", (ROOT / "script" / "lint").read_text(), re.MULTILINE
    )
    (local,) = load_yaml_dict(str(ROOT / ".pre-commit-config.yaml"))["repos"]
    entries = {hook["id"]: hook["entry"] for hook in local["hooks"]}

    assert entries == {check: f"script/lint {check}" for check in checks}


def test_lint_refuses_a_check_that_it_does_not_know() -> None:
    """It would else report that all is clean."""
    done = subprocess.run(  # noqa: S603 - our own script
        [ROOT / "script" / "lint", "ruf"], check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (2, "lint: there is no check ruf\n")
