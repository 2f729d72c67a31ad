"""The release: its version, its notes, and its zip."""

import asyncio
from asyncio.subprocess import PIPE
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from script import publication

ROOT = publication.ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of the version 1.2.0, as far as a release looks at it."""
    root = tmp_path / "project"
    folder = root / publication.INTEGRATION
    (folder / "brand").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"version": "1.2.0"}')
    (folder / "brand" / "icon.png").write_bytes(b"\x89PNG")
    (root / "LICENSE").write_text("MIT")
    (root / "hacs.json").write_text('{"filename": "some.zip"}')
    (root / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (root / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 1.2.0\n\n- New.\n\n### Sub\n\n## 1.1.0\n\n- Old.\n"
    )
    (root / "script").mkdir()
    for name in ("__init__.py", "publication.py", "release"):
        shutil.copy(ROOT / "script" / name, root / "script")
    subprocess.run(["git", "init", "-q", str(root)], check=True)  # noqa: S603, S607 - the developer's own git
    return root


def test_a_release_has_one_version(project: Path) -> None:
    assert not [*publication.version_faults(project)]
    assert not [*publication.version_faults(project, "1.2.0")]


def test_between_releases_only_the_changelog_is_ahead() -> None:
    """This project's own may begin with what is not released yet."""
    version = publication.version(ROOT)

    assert {*publication.version_faults(ROOT)} <= {
        f"CHANGELOG.md: the newest section is Unreleased, not {version}"
    }
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("pyproject.toml", '[project]\nversion = "1.3.0"\n', "pyproject.toml"),
        ("CHANGELOG.md", "## 1.1.0\n\n## 1.2.0\n", "CHANGELOG.md"),
        ("CHANGELOG.md", "## Unreleased\n\n## 1.2.0\n", "CHANGELOG.md"),
        ("CHANGELOG.md", "# Changelog\n", "CHANGELOG.md"),
    ],
)
def test_a_file_with_another_version_is_named(
    project: Path, name: str, content: str, fault: str
) -> None:
    (project / name).write_text(content)

    (found,) = publication.version_faults(project)

    assert found.startswith(fault)


@pytest.mark.parametrize("tag", ["1.2.1", "v1.2.0", ""])
def test_a_tag_with_another_version_is_refused(project: Path, tag: str) -> None:
    assert [*publication.version_faults(project, tag)] == [
        f"the tag is {tag}, not 1.2.0"
    ]


def test_the_notes_are_the_newest_section(project: Path) -> None:
    assert publication.notes(project) == "- New.\n\n### Sub\n"


def test_the_same_files_make_the_same_zip(project: Path, tmp_path: Path) -> None:
    """Whatever their times and rights, and beside what git ignores."""
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    publication.build(project, first)

    (project / ".gitignore").write_text("*.pyc\n")
    folder = project / publication.INTEGRATION
    (folder / "old.pyc").write_text("compiled")
    (folder / "manifest.json").touch()
    (folder / "manifest.json").chmod(0o700)
    publication.build(project, second)

    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["LICENSE", "brand/icon.png", "manifest.json"]


def test_another_file_makes_another_zip(project: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    publication.build(project, first)
    (project / publication.INTEGRATION / "new.py").write_text("")
    publication.build(project, second)

    assert first.read_bytes() != second.read_bytes()


def test_the_zip_takes_the_place_of_what_is_installed(
    project: Path, tmp_path: Path
) -> None:
    """Of an older version, and of a link to the source, whose target stays."""
    archive, configuration = tmp_path / "some.zip", tmp_path / "config"
    publication.build(project, archive)
    installed = configuration / publication.INTEGRATION
    installed.parent.mkdir(parents=True)
    installed.symlink_to(project / publication.INTEGRATION)

    publication.install(archive, configuration)

    assert not installed.is_symlink()
    assert (project / publication.INTEGRATION / "manifest.json").exists()
    (installed / "old.py").write_text("")
    publication.install(archive, configuration)
    assert not (installed / "old.py").exists()
    assert (installed / "manifest.json").read_text() == '{"version": "1.2.0"}'


def test_the_zip_has_every_file_of_the_integration(tmp_path: Path) -> None:
    """At its top, and not too large for HACS: 100 MiB, 50,000 files."""
    archive = tmp_path / "release.zip"
    publication.build(ROOT, archive)

    folder = ROOT / publication.INTEGRATION
    expected = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(archive) as opened:
        assert {*opened.namelist()} == {*expected, "LICENSE"}
        for name, path in expected.items():
            assert opened.read(name) == path.read_bytes()
    assert archive.stat().st_size < 10 * 1024 * 1024


_IMPORT_ALL = """
import asyncio, json, sys
from homeassistant.core import HomeAssistant
from homeassistant import loader

async def main():
    hass = HomeAssistant(sys.argv[1])
    loader.async_setup(hass)
    found = await loader.async_get_integration(hass, "sms_italia")
    await found.async_get_platforms(sys.argv[2:])
    print(json.dumps([str(found.file_path), found.version]))
    await hass.async_stop(force=True)

asyncio.run(main())
"""


async def test_home_assistant_loads_what_was_installed(tmp_path: Path) -> None:
    """All its modules import one another without the rest of the project."""
    archive = tmp_path / "release.zip"
    publication.build(ROOT, archive)
    publication.install(archive, tmp_path)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _IMPORT_ALL, str(tmp_path)),
        *("config_flow", "notify", "sensor", "diagnostics", "repairs"),
        cwd=tmp_path,
        stdout=PIPE,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0
    path, version = json.loads(output)
    assert Path(path) == tmp_path / publication.INTEGRATION
    assert version == publication.version(ROOT)


def test_the_command_builds_only_if_all_have_the_version(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project / "release"
    arguments = ["script/release", "--into", str(folder), "--tag"]

    monkeypatch.setattr(sys, "argv", [*arguments, "0.0.1"])
    assert publication.main(project) == 1
    assert "the tag is 0.0.1" in capsys.readouterr().out
    assert not folder.exists()

    monkeypatch.setattr(sys, "argv", [*arguments, "1.2.0"])
    assert publication.main(project) == 0
    assert {path.name for path in folder.iterdir()} == {"some.zip", "notes.md"}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "built"),
    [
        (("build",), 0, True),
        (("--tag", "1.2.0", "build"), 0, True),
        (("--tag", "0.0.1", "build"), 1, False),
        (("--tag", "0.0.1", "clean", "checks"), 1, False),
        (("build", "upload"), 2, False),
    ],
)
async def test_the_script_takes_the_steps_that_it_is_given(
    project: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    exit_code: int,
    *,
    built: bool,
) -> None:
    """And none if the versions differ, or one of the steps does not exist."""
    folder = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *(str(project / "script" / "release"), *arguments),
        env={**os.environ, "SMS_ITALIA_CACHE": str(tmp_path), "PATH": folder},
        stdout=PIPE,
    )
    await process.communicate()

    assert process.returncode == exit_code
    assert (tmp_path / "release" / publication.zip_name(project)).exists() is built


def test_the_workflow_attests_and_publishes_what_is_built() -> None:
    """The zip that HACS is told to look for, by the tag alone."""
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    name = publication.zip_name(ROOT)

    assert workflow.count(f".cache/release/{name}") == 2
    assert re.search(rf"subject-path: \.cache/release/{re.escape(name)}\n", workflow)
    assert f".cache/release/{publication.NOTES}" in workflow
