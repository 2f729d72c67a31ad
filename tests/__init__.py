"""The tests of SMS Italia; they mirror the folders they test."""
