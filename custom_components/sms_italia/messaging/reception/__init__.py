"""SMS that come in at accounts: searched for, each noticed once."""

from .receptions import Receptions

__all__ = ["Receptions"]
