"""Run the experiments and write the table of their scores."""
