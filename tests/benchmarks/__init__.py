"""Tests of the calculations of the benchmark, not of its measurements."""
