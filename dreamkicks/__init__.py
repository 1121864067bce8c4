"""Dream up a sneaker in the terminal, then find the nearest one that can be bought."""

__version__ = "0.1.0"
