"""Studies: named cells x seeds, run to the end and set beside the published numbers in a table."""
