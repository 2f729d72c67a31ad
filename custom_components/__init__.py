"""Makes the integration importable by the test kit."""
