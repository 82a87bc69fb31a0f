"""What is measured, and the slow forms that it is measured against."""
