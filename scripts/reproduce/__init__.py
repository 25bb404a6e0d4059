"""Run the experiments and write the table of what each reached."""
