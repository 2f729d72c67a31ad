"""Smshosting (docs/development/provider-apis/smshosting.md 2.3)."""

from .api import PROVIDER

__all__ = ["PROVIDER"]
