"""Names the brand of a sneaker, or says that there is none."""
