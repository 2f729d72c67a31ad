"""The tests of the simulator."""
