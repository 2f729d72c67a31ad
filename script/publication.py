"""The release: whether all agree on its version, its notes, and its zip.

Run by script/release. Needs nothing but Python, so that the zip can be built where
nothing is installed.
"""

import argparse
from collections.abc import Iterator
from hashlib import sha256
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

ROOT = Path(__file__).parents[1]
INTEGRATION = Path("custom_components") / "sms_italia"
LICENCE = "LICENSE"
NOTES = "notes.md"

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can store."""
_UNIX = 3
_READABLE_FILE = 0o100644 << 16
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def zip_name(root: Path) -> str:
    """Return the name under which HACS and the Marketplace look for the zip."""
    return str(json.loads((root / "hacs.json").read_text("utf-8"))["filename"])


def version(root: Path) -> str:
    """Return the version of the manifest."""
    manifest = (root / INTEGRATION / "manifest.json").read_text("utf-8")
    return str(json.loads(manifest)["version"])


def version_faults(root: Path, tag: str | None = None) -> Iterator[str]:
    """Yield a sentence for each place that has another version than the manifest.

    Those are pyproject.toml, the newest section of the changelog, and the tag, if one
    is given.
    """
    expected = version(root)
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    if project["version"] != expected:
        yield f"pyproject.toml has the version {project['version']}, not {expected}"
    newest = _HEADING.search(_changelog(root))
    if newest is None or newest[1] != expected:
        found = newest[1] if newest else "none"
        yield f"CHANGELOG.md: the newest section is {found}, not {expected}"
    if tag not in {None, expected}:
        yield f"the tag is {tag}, not {expected}"


def notes(root: Path) -> str:
    """Return the newest section of the changelog, without its heading."""
    _, _, newest, *_ = _HEADING.split(_changelog(root), maxsplit=2)
    return newest.strip() + "\n"


def build(root: Path, target: Path) -> None:
    """Write the zip: the files of the integration at its top, and the licence.

    The same files always make the same bytes: names are sorted, times and rights are
    fixed, and nothing is compressed, as libraries compress differently.
    """
    folder = root / INTEGRATION
    members = {name: folder / name for name in _files_of_git(folder)}
    members[LICENCE] = root / LICENCE
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, _FIRST_DATE)
            member.create_system = _UNIX
            member.external_attr = _READABLE_FILE
            archive.writestr(member, members[name].read_bytes())


def install(archive: Path, configuration: Path) -> None:
    """Unpack the zip into a configuration folder, as HACS does."""
    folder = configuration / INTEGRATION
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)


def _files_of_git(folder: Path) -> list[str]:
    """Return the names of the files that git has or would add, below the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],  # noqa: S607 - the developer's own git
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    names = filter(None, listed.stdout.split("\0"))
    return [name for name in names if (folder / name).is_file()]


def _changelog(root: Path) -> str:
    """Return the text of the changelog."""
    return (root / "CHANGELOG.md").read_text("utf-8")


def main(root: Path = ROOT) -> int:
    """Compare the versions, then build the zip and the notes; return the exit code."""
    parser = argparse.ArgumentParser(prog="script/release")
    parser.add_argument("--tag", help="must be the version too")
    parser.add_argument("--into", type=Path, help="the folder to build in")
    arguments = parser.parse_args()
    tag: str | None = arguments.tag
    folder: Path | None = arguments.into
    if faults := list(version_faults(root, tag)):
        print(*faults, sep="\n")
        return 1
    print(f"version {version(root)}: manifest, project and changelog agree")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / zip_name(root)
        build(root, target)
        (folder / NOTES).write_text(notes(root), "utf-8")
        print(f"{sha256(target.read_bytes()).hexdigest()}  {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
