"""What cells have left, in tables."""
