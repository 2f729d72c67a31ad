"""Clients of the four SMS providers: aiohttp only, nothing of Home Assistant."""
