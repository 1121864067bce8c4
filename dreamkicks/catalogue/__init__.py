"""Products and their vectors on disk."""
