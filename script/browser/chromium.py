"""Finds Chromium on this machine, or fetches its distribution's packages.

The packages are only unpacked into the cache. The system stays as it is, and no root
is needed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page can reach only this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

_PACKAGES = ("chromium", "fonts-dejavu-core")
_START_SECONDS = 60
_APT_SECONDS = 600

_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>{root}/usr/share/fonts</dir>
  <cachedir>{root}/fontconfig</cachedir>
  <alias>
    <family>sans-serif</family>
    <prefer><family>DejaVu Sans</family></prefer>
  </alias>
  <alias>
    <family>monospace</family>
    <prefer><family>DejaVu Sans Mono</family></prefer>
  </alias>
</fontconfig>
"""


class NoChromiumError(Exception):
    """There is no Chromium and it cannot be fetched; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chromium:
    """A Chromium that starts: its program, variables of its environment, its origin.

    `origin` is a sentence for the output.
    """

    program: Path
    environment: Mapping[str, str]
    origin: str


def find(cache: Path, say: Callable[[str], None]) -> Chromium:
    """Return this machine's Chromium, else the one in the cache, else fetch that.

    Raises NoChromiumError.
    """
    for name in NAMES:
        if (program := shutil.which(name)) and _starts(Path(program), {}):
            return Chromium(
                program=Path(program),
                environment={},
                origin=f"{program}, of this machine",
            )
    root = cache / "chromium"
    if found := _unpacked(root):
        return found
    say("no Chromium on this machine: fetching its distribution's package")
    _fetch(root, cache)
    if found := _unpacked(root):
        return found
    raise NoChromiumError("the Chromium that was unpacked does not start")


def _unpacked(root: Path) -> Chromium | None:
    """Return the Chromium unpacked in a folder, if it is there and starts."""
    program = root / "usr" / "lib" / "chromium" / "chromium"
    if not program.exists():
        return None
    libraries = sorted({str(library.parent) for library in root.rglob("*.so*")})
    environment = {
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "FONTCONFIG_FILE": str(root / "fonts.conf"),
    }
    if not _starts(program, environment):
        return None
    return Chromium(
        program=program,
        environment=environment,
        origin="this system's package, unpacked into the cache",
    )


def _starts(program: Path, environment: Mapping[str, str]) -> bool:
    """Return whether a program starts: some only point to an app store."""
    try:
        subprocess.run(  # noqa: S603 - by its path, without a shell
            [program, "--version"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_START_SECONDS,
        )
    except OSError, subprocess.SubprocessError:
        return False
    return True


def _fetch(root: Path, cache: Path) -> None:
    """Download the packages that this system lacks for Chromium, and unpack them.

    apt reads the machine's own sources and what is installed, and writes its lists
    and downloads to folders of the cache.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoChromiumError(f"none of {', '.join(NAMES)} starts here: install one")
    apt, log = cache / "apt-chromium", cache / "apt-chromium.log"
    for folder in (root, apt):
        shutil.rmtree(folder, ignore_errors=True)
    for kind in ("lists", "archives"):
        (apt / kind / "partial").mkdir(parents=True)
    settings: dict[str, str | Path] = {
        "Dir::State": apt,
        "Dir::State::Lists": apt / "lists",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        # The user that apt would download as may not write to the cache.
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
        "Debug::NoLocking": "true",
    }
    command = ["apt-get", "-qq"]
    for name, value in settings.items():
        command += ["-o", f"{name}={value}"]
    log.write_bytes(b"")
    try:
        _log([*command, "update"], log)
        _log([*command, "-y", "--download-only", "install", *_PACKAGES], log)
        # Renamed at the end: half a Chromium must not be found.
        staging = apt / "root"
        _unpack(sorted((apt / "archives").glob("*.deb")), staging, log)
        (staging / "fonts.conf").write_text(_FONTS.format(root=root), "utf-8")
        staging.rename(root)
    except (OSError, subprocess.SubprocessError) as err:
        raise NoChromiumError(f"cannot fetch Chromium's package: see {log}") from err
    shutil.rmtree(apt)


def _unpack(packages: Iterable[Path], folder: Path, log: Path) -> None:
    """Unpack Debian packages into one folder."""
    folder.mkdir()
    for package in packages:
        _log(["dpkg-deb", "-x", str(package), str(folder)], log)


def _log(command: Sequence[str], log: Path) -> None:
    """Run a command and append what it prints to the log.

    Raises SubprocessError if it fails or takes too long.
    """
    with log.open("ab") as output:
        subprocess.run(  # noqa: S603 - apt-get and dpkg-deb, without a shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=_APT_SECONDS,
        )
