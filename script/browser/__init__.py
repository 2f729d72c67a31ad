"""The body of script/e2e: SMS Italia is set up in a real browser."""
