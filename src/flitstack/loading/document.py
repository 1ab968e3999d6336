"""What loading hands on: what each step of the plan did, and the counts each phase ended with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step. `planned` rows = `done` now + `before` (landed in an earlier run) + `refused`."""

    index: int
    kind: str
    phase: str
    table: str
    planned: int
    done: int
    before: int
    refused: int
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PhaseCount:
    """One send table when its phase ended, by the journal. `made`: landed in this run; `found` of these in the destination."""

    phase: str
    table: str
    planned: int
    landed: int
    refused: int
    made: int
    found: int

    @property
    def closes(self) -> bool:
        """Every planned row has a verdict, and what was made is there."""
        return self.planned == self.landed + self.refused and self.found == self.made


@dataclass(frozen=True, slots=True)
class LoadDocument:
    """One execution of a plan. `asked`: requests whose answer was lost and that were settled by asking."""

    plan: str  # sha256
    run: int
    steps: tuple[StepResult, ...]
    refused: int
    requests: int
    asked: int
    seconds: float
    at: str
    counts: tuple[PhaseCount, ...] = ()
