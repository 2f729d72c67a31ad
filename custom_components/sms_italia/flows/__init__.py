"""The forms of the integration, and what their fields are made of."""
