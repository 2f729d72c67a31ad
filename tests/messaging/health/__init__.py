"""Whether and when an account is asked."""
