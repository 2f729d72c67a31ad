"""A port of this machine that is ours before anybody listens on it."""

from collections.abc import Iterator
from contextlib import contextmanager
import socket


@contextmanager
def reserved_port() -> Iterator[int]:
    """Keep a port: connections to it are refused until a server of ours binds it.

    The socket never listens, and with SO_REUSEADDR on both a server may bind the
    port beside it (Linux), while nobody is given it as a free one.
    """
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        yield port
