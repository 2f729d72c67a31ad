"""Tests that nothing is lost or sent twice, and every message has a known status."""
