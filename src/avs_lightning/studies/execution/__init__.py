"""Running cells: in which order, on what, and what a person sees of it."""
