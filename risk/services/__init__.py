"""What is written about risk."""
