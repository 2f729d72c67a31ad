"""The body of script/e2e: a person sets SMS Italia up in a real browser."""
