"""The race: the same images and the same processor time for each candidate, scored by the same measures."""
