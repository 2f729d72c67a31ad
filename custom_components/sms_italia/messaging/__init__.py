"""What happens to a message: asyncio only, nothing of Home Assistant."""
