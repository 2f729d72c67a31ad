"""The ports of an instance that is kept, so that its next start finds the providers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import json
from pathlib import Path

from script.home_assistant.instance import Instance
from simulator import PROVIDERS, Simulator

_FILE = "ports.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of Home Assistant, of the simulator and of each provider.

    The accounts have the providers' addresses, so these must stay the same.
    """

    home_assistant: int
    simulator: int
    providers: Mapping[str, int]


def save(instance: Instance, simulator: Simulator) -> None:
    """Save the ports in the configuration folder, which makes it usable again."""
    ports = Ports(
        home_assistant=instance.port,
        simulator=int(simulator.address.rpartition(":")[2]),
        providers=simulator.ports.numbers,
    )
    (instance.folder / _FILE).write_text(json.dumps(asdict(ports)), "utf-8")


def load(folder: Path) -> Ports | None:
    """Return the ports of an instance that can be used again, None if it cannot."""
    try:
        ports = json.loads((folder / _FILE).read_text("utf-8"))
        return Ports(
            home_assistant=ports["home_assistant"],
            simulator=ports["simulator"],
            providers={key: ports["providers"][key] for key in PROVIDERS},
        )
    except OSError, ValueError, KeyError:
        return None
