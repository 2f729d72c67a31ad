"""A port of this machine that is reserved before a server listens on it."""

from collections.abc import Iterator
from contextlib import contextmanager
import socket


@contextmanager
def reserved_port() -> Iterator[int]:
    """Reserve a port: connections to it are refused until a server binds it.

    The socket never listens, and with SO_REUSEADDR on both a server can bind the same
    port (Linux), while the system gives it to no other process as a free one.
    """
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        yield port
