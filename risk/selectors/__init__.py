"""What is read about risk."""
