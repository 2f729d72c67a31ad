"""Run the simulator: python -m simulator --port 8099 --deliver-after 4."""

import argparse
import asyncio
from contextlib import suppress
import signal
import sys

from . import Provider, Simulator


def _arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Four Italian SMS providers as a local server. Nothing is sent.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port",
        type=int,
        default=8099,
        help="the next four are the providers'; 0 takes free ones",
    )
    parser.add_argument(
        "--deliver-after",
        type=float,
        metavar="SECONDS",
        help="let messages arrive by themselves",
    )
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    """Serve until the process is told to end."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    port: int = arguments.port
    async with Simulator(
        host=arguments.host,
        port=port,
        deliver_after=arguments.deliver_after,
        # The same ones with each start, where the port is.
        line_ports={
            provider: port and port + number
            for number, provider in enumerate(Provider, start=1)
        },
    ) as simulator:
        print(f"Phones and controls: {simulator.address}/")
        for provider in Provider:
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
