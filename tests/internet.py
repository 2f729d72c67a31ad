"""Hosts of the internet that are found on this machine, with certificates of theirs."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
import socket
from types import MappingProxyType
from typing import override

from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from homeassistant.util import dt as dt_util


class Here(AbstractResolver):
    """Finds every host on this machine, some of them at another port."""

    def __init__(self, ports: Mapping[str, int] = MappingProxyType({})) -> None:
        """Find these hosts at these ports."""
        self._ports = ports

    @override
    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Return the one address."""
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._ports.get(host, port),
                family=family,
                proto=0,
                flags=0,
            )
        ]

    @override
    async def close(self) -> None:
        """Close nothing."""


def certify(folder: Path, host: str) -> Path:
    """Make a certificate of a host with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt_util.utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
