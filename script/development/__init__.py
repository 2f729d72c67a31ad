"""The body of script/develop: a real Home Assistant, set up and tried."""
