"""The report: for each folder its figures, and every survivor with the reason why it survives."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from custom.errors import UserError

from .mutants import Mutant
from .trial import TIMED_OUT, UNREACHED, Outcome

REASONS = Path(__file__).with_name("reasons.toml")
NO_REASON = "not yet looked at"

TITLE = """# Mutation testing

Do the tests detect faults? [mutmut](https://mutmut.readthedocs.io)'s operators change one thing at a time in a file of
`custom` (a mutant); the tests of the same name under `tests/` should then fail (the mutant is killed). Left alone are
error messages, annotations, imports, and `strict=True` of `zip`, which is an assertion. The command
`python -m scripts.mutation custom/losses --sample 75 --output docs/mutation.md` updates the figures of a folder: what
stands between its two comments in this file, and nothing else.
"""
BEGIN, END = "<!-- figures of {} -->", "<!-- end of {} -->"


def read_reasons(path: Path = REASONS) -> dict[tuple[str, str], str]:
    """Why mutants survive: (file, changed text after the mutation) -> reason."""
    return {(r["file"], r["after"]): r["reason"] for r in tomllib.loads(path.read_text(encoding="utf-8"))["survivor"]}


def figures(mutants: Sequence[Mutant], outcomes: Mapping[str, Outcome], reasons: Mapping[tuple[str, str], str]) -> str:
    """Figures of a folder and its survivors, as Markdown.

    Args:
        mutants: all mutants of the folder.
        outcomes: of those that were tried, by digest.
        reasons: see `read_reasons`.
    """
    tried = [mutant for mutant in mutants if mutant.digest in outcomes]
    survivors = [mutant for mutant in tried if not outcomes[mutant.digest].is_killed]
    lines = [summary(mutants, outcomes), "", *_table(mutants, tried, survivors)]
    if survivors:
        lines += ["", "Survivors:", ""]
    for mutant in survivors:
        reason = reasons.get((mutant.file, mutant.after), NO_REASON)
        outcome = outcomes[mutant.digest]
        if outcome.kind == UNREACHED:
            reason = "no test runs it"
        elif outcome.by:
            reason += f" (the quickest {outcome.by} were tried)"
        place = f"`{mutant.file}:{mutant.line}`" + (f", `{mutant.function}`" if mutant.function else "")
        lines += [f"- {place}: {reason}", "", "  ```diff", f"  - {mutant.before}", f"  + {mutant.after}", "  ```", ""]
    return "\n".join(lines).rstrip() + "\n"


def summary(mutants: Sequence[Mutant], outcomes: Mapping[str, Outcome]) -> str:
    """One line: how many mutants there are, were tried, and were killed."""
    tried = [outcomes[mutant.digest] for mutant in mutants if mutant.digest in outcomes]
    killed = sum(outcome.is_killed for outcome in tried)
    slow = sum(outcome.kind == TIMED_OUT for outcome in tried)
    share = f" ({100 * killed / len(tried):.1f} %)" if tried else ""
    return f"{len(mutants)} mutants, {len(tried)} tried, {killed} killed{share}, {slow} of them by the time limit."


def replace_figures(text: str, folder: str, new: str) -> str:
    """Put the figures of a folder between its two comments; a folder that has none gets a section at the end."""
    begin, end = BEGIN.format(folder), END.format(folder)
    block = f"{begin}\n\n{new}\n{end}"
    before, found, rest = text.partition(begin)
    if not found:
        return f"{(text or TITLE).rstrip()}\n\n## {folder}\n\n{block}\n"
    _, closed, after = rest.partition(end)
    if not closed:
        raise UserError(f"the report has the line {begin} but not {end}; add it below the figures")
    return f"{before}{block}{after}"


def _table(mutants: Sequence[Mutant], tried: Sequence[Mutant], survivors: Sequence[Mutant]) -> list[str]:
    counts = [Counter(mutant.file for mutant in group) for group in (mutants, tried, survivors)]
    lines = ["| file | mutants | tried | killed |", "|---|---|---|---|"]
    return lines + [f"| {f} | {n} | {counts[1][f]} | {counts[1][f] - counts[2][f]} |" for f, n in counts[0].items()]
