"""Tests of the forms that are not the config flow itself."""
