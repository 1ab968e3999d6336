"""Where each step's document lies, and reading it back; None when the step has not been done."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from flitstack.app.project import Project
from flitstack.deduping.document import DedupeDocument
from flitstack.documents import load_json
from flitstack.mapping.document import MappingDocument
from flitstack.planning.document import Plan
from flitstack.profiling.document import ProfileDocument
from flitstack.reconciling.document import ReconcileDocument
from flitstack.staging.document import StagingDocument

Document = TypeVar("Document")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What the last reconciliation of an environment said. `plan` is the plan's sha256."""

    plan: str
    at: str
    rows: int
    cells: int
    differences: int
    missing: int
    extra: int
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    accounts: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """What the last load of an environment did. `rows` by table; `rejected` by object."""

    plan: str
    at: str
    seconds: float
    requests: int
    rows: dict[str, int] = field(default_factory=dict)
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """What the last plan learnt of the environment. `max_upload_bytes` counts base64 text."""

    max_upload_bytes: int
    users: int
    disabled: int


def staged_folder(project: Project) -> Path:
    """The current snapshot."""
    return project.state / "staged"


def deduped_folder(project: Project) -> Path:
    """Merged tables of the current snapshot."""
    return project.state / "deduped"


def mapped_folder(project: Project) -> Path:
    """Mapped tables for the chosen environment."""
    return project.env_state / "mapped"


def plan_folder(project: Project) -> Path:
    """Plan and send tables of the chosen environment."""
    return project.env_state / "plan"


def journal_folder(project: Project) -> Path:
    """The journal of the chosen environment."""
    return project.env_state / "journal"


def load_staging(project: Project) -> StagingDocument | None:
    """The current snapshot's document."""
    return _load(staged_folder(project) / "document.json", StagingDocument)


def load_profile(project: Project) -> ProfileDocument | None:
    """The current profile."""
    return _load(project.state / "profile" / "document.json", ProfileDocument)


def load_dedupe(project: Project) -> DedupeDocument | None:
    """The current deduping."""
    return _load(deduped_folder(project) / "document.json", DedupeDocument)


def load_mapping(project: Project) -> MappingDocument | None:
    """The current mapped tables."""
    return _load(mapped_folder(project) / "document.json", MappingDocument)


def load_plan(project: Project, *, sample: bool = False) -> Plan | None:
    """The plan of the chosen environment, or its sample."""
    return _load(plan_folder(project) / ("sample.json" if sample else "plan.json"), Plan)


def load_outcome(project: Project, *, sample: bool = False) -> LoadOutcome | None:
    """The last load."""
    return _load(project.env_state / ("sample-load.json" if sample else "load.json"), LoadOutcome)


def load_reconciliation(project: Project, *, sample: bool = False) -> Reconciliation | None:
    """The last reconciliation."""
    return _load(
        project.env_state / ("sample-reconciliation.json" if sample else "reconciliation.json"), Reconciliation
    )


def load_facts(project: Project) -> EnvironmentFacts | None:
    """What the last plan learnt of the chosen environment."""
    return _load(project.env_state / "facts.json", EnvironmentFacts)


def load_applied_schema(project: Project) -> list[dict[str, Any]]:
    """Schema operations that were ever planned for this environment, so that a plan made again is the same plan."""
    return _load(project.env_state / "schema.json", list[dict[str, Any]]) or []


def _load(path: Path, kind: type[Document]) -> Document | None:
    return load_json(path, kind) if path.exists() else None


def load_reconciled(project: Project, *, sample: bool = False) -> ReconcileDocument | None:
    """Everything the last reconciliation found."""
    name = "sample-reconciliation-tables.json" if sample else "reconciliation-tables.json"
    return _load(project.env_state / name, ReconcileDocument)


def load_rollback(project: Project) -> dict[str, Any] | None:
    """What the last rollback did."""
    return _load(project.env_state / "rollback.json", dict[str, Any])
