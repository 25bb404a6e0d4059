"""Every command against generated input and faults: right output, or one line that names what is wrong.

A *part* is a command and one sort of input, drawn by Hypothesis. Its property is the same for all: exit 0 and an output
that an independent reader agrees with; or exit 1 or 2, one line that names the file or argument, and nothing under a
final name. Commands run in this process, which imports PyTorch once; faults need processes of their own, which are
forked from a server that has imported everything.

`test_campaign.py` runs few cases of each part, and many with `-m slow`. `python -m tests.robustness` runs all of them
and writes the table in `docs/reliability.md`.
"""
