"""What the documents for people are made from. `app` fills these; nothing here reads a file or asks a destination."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flitstack.deduping.document import DedupeDocument
from flitstack.profiling.document import ProfileDocument
from flitstack.reconciling.document import ReconcileDocument
from flitstack.staging.document import StagingDocument


@dataclass(frozen=True, slots=True)
class Heading:
    """Whose document this is. `at` is ISO time, UTC; empty parts are not shown."""

    project: str
    source: str  # title of the pack
    at: str
    environment: str = ""
    url: str = ""
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """Where one finding is. Values appear as shapes only."""

    file: str
    record: str
    line: int | None
    field: str
    shape: str
    what: str

    @property
    def place(self) -> str:
        """File, record and line in words."""
        line = f" (line {self.line})" if self.line else ""
        field = f", field {self.field}" if self.field else ""
        return f"{self.file}, record {self.record}{line}{field}" if self.record else f"{self.file}{field}"


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of one code, object and outcome, with the first examples and what to do about them."""

    code: str
    object: str
    outcome: str
    count: int
    do: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Input of the data-quality report: reports/quality.html and .xlsx."""

    heading: Heading
    staging: StagingDocument
    profile: ProfileDocument
    findings: tuple[FindingGroup, ...]
    dedupe: DedupeDocument | None = None  # None: not deduped yet


@dataclass(frozen=True, slots=True)
class ProofLine:
    """One table of the rollback proof: rows that were there before the load, how many of them are gone or changed."""

    table: str
    rows: int
    gone: int
    changed: int

    @property
    def equal(self) -> bool:
        """Whether the table is as it was before."""
        return not self.gone and not self.changed


@dataclass(frozen=True, slots=True)
class RollbackProof:
    """What the last rollback did and whether the destination is as it was before the load."""

    at: str
    reversed: int
    kept: int
    failed: int
    equal: bool
    tables: tuple[ProofLine, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadFacts:
    """How the load went."""

    at: str
    seconds: float
    requests: int
    rows: int


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """Input of the migration report: reports/reconciliation.html and .xlsx.

    `findings`: of every step but reconciling; `differences`: those of reconciling. `labels`: source object -> its name
    for people. `decisions`: what scoping decided, shown as given.
    """

    heading: Heading
    reconciled: ReconcileDocument
    findings: tuple[FindingGroup, ...]
    differences: tuple[FindingGroup, ...] = ()
    load: LoadFacts | None = None
    rollback: RollbackProof | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    decisions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RebuiltAction:
    """An action of a source automation and what rebuilds it; `counterpart` is "" where nobody knows."""

    action: str
    detail: str
    counterpart: str
    by_hand: str


@dataclass(frozen=True, slots=True)
class FoundAutomation:
    """One automation whose definition the export carries. `kind`: name of the playbook's entry; `tables`: where the rows
    of the object it watches went; `is_recognised`: trigger and every action are known by their words."""

    kind: str
    id: str
    title: str
    enabled: bool | None
    object: str
    tables: tuple[str, ...]
    trigger: str
    condition: str
    trigger_counterpart: str
    trigger_by_hand: str
    actions: tuple[RebuiltAction, ...]
    is_recognised: bool
    file: str
    record: str


@dataclass(frozen=True, slots=True)
class AskedAutomation:
    """What the source is known to automate and the export does not carry: a question for the customer."""

    kind: str
    why: str
    question: str
    counterpart: str
    by_hand: str


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A file of the export that only the source system can use."""

    file: str
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class InventoryReport:
    """Input of the automation inventory: reports/inventory.html and .json."""

    heading: Heading
    found: tuple[FoundAutomation, ...]
    asked: tuple[AskedAutomation, ...]
    left_behind: tuple[LeftBehind, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A gotcha and what the data or the environment says of it. `state`: pass | warn | block | waiting (not known yet)."""

    name: str
    state: str
    evidence: str
    says: str
    do: str


STATES = ("block", "warn", "waiting", "pass")  # of checks, the gravest first


def in_order(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The gravest first."""
    return tuple(sorted(checks, key=lambda check: STATES.index(check.state)))


@dataclass(frozen=True, slots=True)
class ChecksReport:
    """Input of reports/checks.html."""

    heading: Heading
    checks: tuple[Check, ...]
