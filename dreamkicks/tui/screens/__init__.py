"""What fills the terminal: the studio, what was found, the tree of dreams, help."""
