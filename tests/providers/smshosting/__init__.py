"""What is peculiar to Smshosting."""
