"""The body of script/kill_test: a real Home Assistant, killed at random instants."""
