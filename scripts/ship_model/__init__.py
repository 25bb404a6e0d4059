"""Half precision copies of models."""
