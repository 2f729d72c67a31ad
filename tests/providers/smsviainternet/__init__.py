"""What is peculiar to SMSviaInternet."""
