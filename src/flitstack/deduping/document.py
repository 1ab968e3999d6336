"""What deduping hands on: merged staged tables and the survivor map.

A merged table is a Parquet file with the columns of the staged table (staging/document.py) holding one record per
surviving identity: values chosen column by column by the survivorship rule. An object without a rule is handed on as it is
(`parquet` then points at the staged file).

The survivor map `survivors.parquet` has one row for every record that was merged away:
    object, loser_file, loser_id, loser_line, survivor_id, cluster BIGINT, rule (which rule joined them)
and `sources.parquet` one row for every merged cell whose value did not come from the survivor's own record:
    object, survivor_id, field, from_id.

All columns VARCHAR unless said otherwise.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MergedTable:
    """One object after merging."""

    object: str
    parquet: str  # absolute or relative to the deduping folder
    records: int  # surviving
    merged: int  # merged away
    flagged: int  # possible duplicates, not merged


@dataclass(frozen=True, slots=True)
class DedupeDocument:
    """Outcome of deduping one staged snapshot. `fingerprint` covers the staged fingerprint and the merge list."""

    staged: str  # fingerprint of the snapshot
    fingerprint: str
    tables: dict[str, MergedTable]
    survivors: str  # parquet path
    sources: str  # parquet path
    at: str
