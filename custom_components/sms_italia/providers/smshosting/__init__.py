"""Smshosting: SMS, and Push to the provider's own app."""

from .client import PROVIDER

__all__ = ["PROVIDER"]
