"""Run the simulator: python -m simulator --port 8099 --deliver-after 4."""

import argparse
import asyncio
from contextlib import suppress
import signal
import sys

from . import PROVIDERS, Simulator


def _arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Italian SMS providers as a local server. No SMS is sent.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port",
        type=int,
        default=8099,
        help="the next ones are the providers'; 0 takes free ones",
    )
    parser.add_argument(
        "--deliver-after",
        type=float,
        metavar="SECONDS",
        help="deliver messages automatically",
    )
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    """Serve until the process gets SIGINT or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    port: int = arguments.port
    async with Simulator(
        host=arguments.host,
        port=port,
        deliver_after=arguments.deliver_after,
        # With a fixed port, the providers' ports are the same at each start.
        provider_ports={
            provider: port and port + number
            for number, provider in enumerate(PROVIDERS, start=1)
        },
    ) as simulator:
        print(f"Phones and controls: {simulator.address}/")
        for provider in PROVIDERS:
            print(f"\n{provider}\n  url: {simulator.url(provider)}")
            for name, value in simulator.credentials(provider).items():
                print(f"  {name}: {value}")
        sys.stdout.flush()
        await ended.wait()


def main() -> int:
    """Return the exit code: 1 if the port is taken."""
    arguments = _arguments()
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(_run(arguments))
        except OSError as error:
            print(f"Cannot listen: {error.strerror}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
