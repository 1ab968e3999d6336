"""What a rollback tells: counts before anything is done, its document, and the lines for people."""

from typing import Any
from uuid import UUID

from flitstack.app.undoing import Begun
from flitstack.journal.frames import Operation
from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan
from flitstack.planning.rollback import UNDO


def planned_rows(undo: Plan) -> int:
    """Rows that the plan deletes."""
    return sum(table.rows for table in undo.tables if table.name.startswith(UNDO))


def document_of(begun: Begun, buckets: dict[str, int]) -> dict[str, Any]:
    """The document of a rollback of which nothing is done yet."""
    return {
        "reversed": 0,
        "planned": planned_rows(begun.plan),
        "kept": len(begun.stays),
        "kept_rows": begun.stays,
        "buckets": buckets,
        "failed": 0,
        "failed_rows": [],
        "equal": None,
        "schema": "kept",
        "tables": {},
        "edited_rows": [],
        "lost_rows": [],
    }


def buckets_of(begun: Begun) -> dict[str, int]:
    """What will happen, counted: rows deleted, rows given back, rows kept and why, cells that keep a later edit."""
    undo, kept = begun.plan, begun.kept
    change = {table.name for table in undo.tables if not table.name.startswith(UNDO)}
    return {
        "reversed": sum(table.rows for table in undo.tables if table.name not in change),
        "restored": sum(table.rows for table in undo.tables if table.name in change),
        "kept_edited": sum(row["why"] == "edited" for row in kept),
        "kept_referenced": sum(row["why"] == "referenced" for row in kept),
        "kept_parent": sum(row["why"] == "parent" for row in kept),
        "kept_cells": len(begun.edited),
        "failed": 0,
    }


def told_before(buckets: dict[str, int]) -> str:
    """The counts as a line, told before anything is done."""
    return "taking back: " + ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in buckets.items() if count
    )


def failed_rows(journal: Journal, undo: Plan) -> list[dict[str, str]]:
    """Rows that the destination refused to take back, with its reason."""
    tables = {table.table for table in undo.tables}
    wanted = {Operation.DELETE, Operation.UPDATE, Operation.STATE, Operation.PARTIES, Operation.UNLINK}
    return [
        {
            "table": table,
            "row": str(UUID(bytes=row)),
            "operation": operation.name.lower(),
            "code": code,
            "message": message,
        }
        for (table, row), verdicts in journal.state.refused.items()
        for operation, (code, message) in verdicts
        if table in tables and operation in wanted
    ]


def lines_of(document: dict[str, Any], *, dry_run: bool) -> list[str]:
    """The document for a person."""
    if dry_run:
        lines = [f"would take back {document['planned']:,} rows"]
    else:
        lines = [f"taken back: {document['reversed']:,} rows, failed: {document['failed']:,}"]
        if document["buckets"]["restored"]:
            lines.append(f"given back what they held before: {document['buckets']['restored']:,} rows")
    why = {"edited": "edited since", "referenced": "others point to it", "parent": "a kept row needs it"}
    for row in document["kept_rows"]:
        lines.append(f"kept: {row['table']} {row['row']} ({row['file']}, record {row['record']}): {why[row['why']]}")
    if document["equal"] is not None:
        lines += [
            f"proof: {table}: {entry['rows']:,} rows were there before; gone {entry['gone']}, changed {entry['changed']}"
            for table, entry in document["tables"].items()
        ]
        lines += [f"edited by others, and left so: {row['table']} {row['row']}" for row in document["edited_rows"][:20]]
        lines += [
            f"keeps what the load wrote, for what it held before is lost: {row['table']} {row['row']}"
            for row in document["lost_rows"][:20]
        ]
        lines.append(verdict(document))
    return lines


def verdict(document: dict[str, Any]) -> str:
    """What a rollback left, in a sentence: what was there before, and what of the load stays."""
    if not document["equal"]:
        return "the destination is NOT as it was before"
    if document["edited_rows"] and not document["kept"]:
        return "all that the load did is taken back; what others edited meanwhile is theirs"
    if document["kept"]:
        kept = f"{document['kept']:,} rows of the load stay"
        return f"what was there before is unchanged; {kept} (--force takes them back as well)"
    return "the destination is as it was before"
