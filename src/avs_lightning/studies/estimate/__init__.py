"""What cells will take, in time and on the disk."""
