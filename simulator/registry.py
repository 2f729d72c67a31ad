"""The providers that are simulated. A new one is a module and its line here."""

from collections.abc import Mapping
from types import MappingProxyType

from .provider import Provider
from .providers import inviosmart, smshosting, smsviainternet, transactionale

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        provider.key: provider
        for provider in (
            smsviainternet.PROVIDER,
            smshosting.PROVIDER,
            transactionale.PROVIDER,
            inviosmart.PROVIDER,
        )
    }
)
"""By key, in the order in which they are listed everywhere."""
