"""Where everything listens, remembered in a house that is kept from start to start."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import json
from pathlib import Path

from simulator import PROVIDERS, Simulator

_FILE = "ports.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of a house; 0 takes a free one.

    Its accounts have the addresses of the providers, whose lines must therefore stay
    where they are.
    """

    home_assistant: int
    simulator: int = 0
    lines: Mapping[str, int]


def keep(folder: Path, home_assistant: int, simulator: Simulator) -> None:
    """Remember the ports in the configuration folder: the house is good to be used."""
    ports = Ports(
        home_assistant=home_assistant,
        simulator=int(simulator.address.rpartition(":")[2]),
        lines=simulator.ports.numbers,
    )
    (folder / _FILE).write_text(json.dumps(asdict(ports)), "utf-8")


def kept(folder: Path) -> Ports | None:
    """Return the ports of a house that can be used again, None if it cannot."""
    try:
        ports = json.loads((folder / _FILE).read_text("utf-8"))
        return Ports(
            home_assistant=ports["home_assistant"],
            simulator=ports["simulator"],
            lines={key: ports["lines"][key] for key in PROVIDERS},
        )
    except OSError, ValueError, KeyError:
        return None
