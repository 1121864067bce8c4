"""The studio in the terminal. Nothing outside this package imports textual."""
