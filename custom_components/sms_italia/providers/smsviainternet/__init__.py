"""SMSviaInternet v2, and the resellers that run it."""

from .client import PROVIDER

__all__ = ["PROVIDER"]
