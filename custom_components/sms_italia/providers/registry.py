"""The list of providers: the only file that names them."""

from collections.abc import Mapping
from types import MappingProxyType

from . import inviosmart, smshosting, smsviainternet, transactionale
from .client import Provider

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        module.PROVIDER.key: module.PROVIDER
        for module in (smsviainternet, smshosting, transactionale, inviosmart)
    }
)
"""The providers by key, in the order in which they are offered."""
