"""One module for each candidate, run in an environment of its own: `python -m scripts.benchmark.race.recipes.NAME`.

They import nothing of this project but `scripts.benchmark.race.entrant`, except for the project's own candidates.
"""
