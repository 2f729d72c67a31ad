"""Tests of the messaging layer."""
