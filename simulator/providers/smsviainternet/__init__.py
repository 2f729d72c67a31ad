"""SMSviaInternet v2 (docs/development/provider-apis/smsviainternet.md 1.2)."""

from .api import PROVIDER

__all__ = ["PROVIDER"]
