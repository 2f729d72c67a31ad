"""What is peculiar to Transactionale."""
