"""Tests of what a request becomes before it is sent."""
