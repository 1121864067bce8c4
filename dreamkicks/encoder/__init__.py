"""CLIP through open_clip: pictures and words to unit vectors."""
