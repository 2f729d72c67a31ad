"""The body of script/benchmark: speed and size, measured side by side."""
