"""The cells of a study: composed, signed, planned, and whether what has been trained may stand beside them."""
