"""A real Home Assistant that starts in seconds, for many starts and for figures."""
