"""The one shape of an error and of a finding: code, what, where, do.

    FlitError                 anything a user is told
    ├── UsageError            exit 2: the command or a file a person wrote is wrong; carries every problem found
    ├── GateClosed            exit 4: a person must decide first
    ├── DifferencesFound      exit 5: source and destination do not agree
    └── StepFailed            exit 1: the step could not be done (the journal says where it stands)

A `Finding` is about one record and never raised: it is collected, counted and listed (`flitstack findings`).
Faults of a destination are not here: see `destinations/faults.py`.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `code` is kebab-case, stable and documented; empty parts are not printed."""

    code: str
    what: str
    where: str = ""
    rule: str = ""
    known: str = ""
    do: str = ""

    def render(self) -> str:
        """The text a terminal shows, without colour."""
        lines = [f"error[{self.code}] {self.what}"]
        for name, text in (("where", self.where), ("rule", self.rule), ("known", self.known), ("do", self.do)):
            if text:
                lines.append(f"  {name:<6} {text}")
        return "\n".join(lines)


class FlitError(Exception):
    """Anything a user is told. Carries one or more problems, all of them printed in one go."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(problem.what for problem in problems))
        self.problems = problems

    def render(self) -> str:
        """All problems, a blank line between them."""
        return "\n\n".join(problem.render() for problem in self.problems)


class UsageError(FlitError):
    """The command line, or a file a person wrote, is wrong."""

    exit_code = 2


class GateClosed(FlitError):
    """A person has to confirm, settle or approve something first."""

    exit_code = 4


class DifferencesFound(FlitError):
    """Reconciliation or the rollback proof found cells or rows that do not agree."""

    exit_code = 5


class StepFailed(FlitError):
    """The step could not be done; what is already durable stays so and the step can be run again."""


# Outcome of a finding, worst first: a record counts by its worst row (docs/findings.md).
OUTCOMES = ("rejected", "held", "excluded", "merged", "loaded", "listed")

# Columns of every findings table (Parquet, one file a step); all VARCHAR but line.
FINDING_COLUMNS = ("code", "object", "file", "record", "line", "field", "outcome", "shape", "what", "do")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one record that the report must list.

    `file` is the path inside the export, `record` the source id (else the record number as text), `line` the physical
    line or sheet row (None where the format has none), `shape` the value with letters and digits masked (`Aaaa99@…`).
    """

    code: str
    object: str
    file: str
    record: str
    outcome: str
    line: int | None = None
    field: str = ""
    shape: str = ""
    what: str = ""
    do: str = ""


def shape_of(value: str, limit: int = 24) -> str:
    """A personal value as a shape for messages and logs: letters a/A, digits 9, cut after `limit` characters.

    >>> shape_of("Ana42@example.com")
    'Aaa99@aaaaaaa.aaa'
    """
    cut = value[:limit]
    masked = "".join("9" if c.isdigit() else ("A" if c.isupper() else "a") if c.isalpha() else c for c in cut)
    return masked + ("…" if len(value) > limit else "")
