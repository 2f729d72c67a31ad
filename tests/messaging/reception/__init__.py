"""Tests of SMS that come in, below the rooms."""
