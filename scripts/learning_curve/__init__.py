"""How the score grows with the number of annotated images."""
