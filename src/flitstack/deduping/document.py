"""What deduping hands on: merged staged tables and the survivor map.

A merged table is a Parquet file with the columns of the staged table (staging/document.py) holding one record per
surviving identity: values chosen column by column by the survivorship rule. An object in which nothing was merged, held
or excluded is handed on as it is (`parquet` then points at the staged file).

The survivor map `survivors.parquet` has one row for every record that was merged away:
    object, loser_file, loser_id, loser_line BIGINT, survivor_id, cluster BIGINT, rule (which rule joined them)
`sources.parquet` one row for every merged cell that holds a value of a record other than the survivor's own:
    object, survivor_id, field, from_id
and `alike.parquet` one row for every pair that only looks alike: object, id, other_id, what

All columns VARCHAR unless said otherwise; ids are `_id` of the staged table.
"""

from dataclasses import dataclass

# Columns of the review sheet that reporting writes and deduping reads back (review.py).
REVIEW_COLUMNS = ("object", "record", "other", "kind", "why", "decision")


@dataclass(frozen=True, slots=True)
class MergedTable:
    """One object after merging: records + merged + held + excluded = records staged."""

    object: str
    parquet: str  # absolute or relative to the deduping folder
    records: int  # surviving
    merged: int  # merged away
    flagged: int  # possible duplicates, not merged
    held: int = 0
    excluded: int = 0


@dataclass(frozen=True, slots=True)
class DedupeDocument:
    """Outcome of deduping one staged snapshot. `fingerprint` covers the staged fingerprint and the merge list.

    The merge list is every merge and every exclusion by rule: what the gate `quality` approves.
    """

    staged: str  # fingerprint of the snapshot
    fingerprint: str
    tables: dict[str, MergedTable]
    survivors: str  # parquet path, relative to the deduping folder
    sources: str  # parquet path
    at: str
    alike: str = "alike.parquet"
