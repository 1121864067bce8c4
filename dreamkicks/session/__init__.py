"""Dreams and sessions: what was painted, from what, and how to come back to it."""
