"""Tests of the state of open messages."""
