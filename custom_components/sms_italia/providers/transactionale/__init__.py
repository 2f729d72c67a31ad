"""Transactionale."""

from .client import PROVIDER

__all__ = ["PROVIDER"]
