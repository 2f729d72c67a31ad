"""Tests of the messaging layer: tracking."""
