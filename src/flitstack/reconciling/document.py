"""What reconciling hands on: both sides counted and compared, row by row and cell by cell."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColumnResult:
    """One compared column. `name` may also be (state), (parties), (file) or (links); `field` is the source field."""

    name: str
    field: str
    cells: int
    differences: int


@dataclass(frozen=True, slots=True)
class TableResult:
    """One destination table. `planned` rows = `landed` + `rejected` + `missing`; `extra` rows carry our source key
    although no record of ours became them. `unreadable`: columns that cannot be read back, so are not compared."""

    table: str
    phase: str
    objects: tuple[str, ...]
    planned: int
    landed: int
    rejected: int
    missing: int
    extra: int
    columns: tuple[ColumnResult, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        """Compared cells."""
        return sum(column.cells for column in self.columns)

    @property
    def differences(self) -> int:
        """Cells that differ, rows that are missing, rows too many."""
        return sum(column.differences for column in self.columns) + self.missing + self.extra


@dataclass(frozen=True, slots=True)
class Account:
    """The closed account of one source object, in records: each counts once, by its worst row."""

    read: int
    created: int
    updated: int
    merged: int
    unchanged: int
    held: int
    rejected: int
    excluded: int
    missing: int = 0  # sent, answered, and not there: makes the account open

    @property
    def closes(self) -> bool:
        """Whether every record read is accounted for."""
        placed = self.created + self.updated + self.merged + self.unchanged + self.held + self.rejected + self.excluded
        return self.missing == 0 and self.read == placed


@dataclass(frozen=True, slots=True)
class PhaseCount:
    """Rows of one phase."""

    phase: str
    planned: int
    landed: int
    rejected: int
    missing: int


@dataclass(frozen=True, slots=True)
class ReconcileDocument:
    """Everything one reconciliation found. `rows` landed, `cells` compared, `differences` of any kind."""

    plan: str  # sha256 of the plan
    environment: str
    rows: int
    cells: int
    differences: int
    tables: tuple[TableResult, ...]
    accounts: dict[str, Account]
    phases: tuple[PhaseCount, ...]
    derived: dict[str, int]  # rows made beside records, by table
    at: str

    @property
    def closes(self) -> bool:
        """Whether nothing differs and every account closes."""
        return self.differences == 0 and all(account.closes for account in self.accounts.values())


@dataclass(frozen=True, slots=True)
class SpotCell:
    """One mapped field of one record. `source`: as the export has it; `meant`: as it was planned; `actual`: as it is read
    back. `verdict`: equal | differs | kept (Dynamics' own since a delta) | not there."""

    column: str
    label: str
    field: str
    source: str
    meant: str
    actual: str
    verdict: str


@dataclass(frozen=True, slots=True)
class SpotRecord:
    """One record to look at. `why`: what made it worth choosing; `outcome`: there | rejected | missing."""

    table: str
    table_label: str
    row: str
    object: str
    route: str
    file: str
    record: str
    line: int | None
    owner: str
    outcome: str
    why: tuple[str, ...]
    cells: tuple[SpotCell, ...]


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """Records for a person to compare by hand, the same each time for one plan. `rows`: how many they were chosen from."""

    plan: str
    rows: int
    records: tuple[SpotRecord, ...]
