"""Tests of escalations below the rooms."""
