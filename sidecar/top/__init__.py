"""The command `pilotfish top`: a live table of models in the terminal."""
