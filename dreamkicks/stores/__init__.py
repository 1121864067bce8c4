"""Web shops: what they list, read politely and safely."""
