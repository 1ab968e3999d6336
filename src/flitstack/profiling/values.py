"""Collects sampled values of all staged tables and says what each of them can be read as.

One long table (object, field, value, records) instead of a query a column: the value functions are planned once, and
equal values are looked at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flitstack.staging.document import StagedTable
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

VALUES = "profile_values"
READ = "profile_read"
KINDS = ("number", "date", "email", "phone", "url", "boolean", "html")
SAMPLE_RECORDS = 100_000
# A longer text is none of the kinds but html, which shows at the start.
CUT = 200


def collect_values(engine: Engine, tables: Mapping[str, StagedTable], folder: Path) -> dict[str, int]:
    """Fill VALUES; returns how many records of each object were looked at.

    Above SAMPLE_RECORDS every k-th record is taken: the same ones whenever the same snapshot is profiled.
    """
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE {VALUES} (object VARCHAR, field VARCHAR, value VARCHAR, length BIGINT, records BIGINT)"
    )
    sampled = {}
    for name, table in tables.items():
        every = max(1, -(-table.records // SAMPLE_RECORDS))
        sampled[name] = -(-table.records // every)
        columns = ", ".join(quoted(field.name) for field in table.fields)
        if not columns or not table.records:
            continue
        source = read_parquet(folder / table.parquet, "file_row_number = true")
        engine.run(
            f"INSERT INTO {VALUES} SELECT {literal(name)}, _field, left(_value, {CUT}), length(_value), count(*) FROM"
            f" (UNPIVOT (SELECT {columns} FROM {source} WHERE file_row_number % {every} = 0)"
            " ON COLUMNS(*) INTO NAME _field VALUE _value) GROUP BY ALL"
        )
    return sampled


def read_values(engine: Engine, decisions: Mapping[str, Any]) -> None:
    """Fill READ: VALUES with a truth value a kind, the number and the moment it stands for."""
    order = literal(str(decisions.get("date_order") or "DMY"))
    engine.run(
        rf"""CREATE OR REPLACE TEMP TABLE {READ} AS SELECT *,
            number IS NOT NULL AS is_number, moment IS NOT NULL AS is_date,
            email_key(value) IS NOT NULL AS is_email,
            number IS NULL AND moment IS NULL AND regexp_full_match(value, '\s*\+?[0-9() ./\-]{{7,22}}\s*')
                OR regexp_full_match(value, '\s*\+[0-9() ./\-]{{7,22}}\s*') AS is_phone,
            host_key(value) IS NOT NULL AND email_key(value) IS NULL AND number IS NULL AND moment IS NULL
                AND regexp_matches(value, '^\S+$') AS is_url,
            to_boolean(value) IS NOT NULL AS is_boolean,
            has_tag(value) AS is_html
        FROM (SELECT *, to_number(value) AS number,
            -- numbers are numbers here, though an Excel serial or a Unix time can be a date
            CASE WHEN regexp_matches(value, '[0-9][-/.:][0-9]') AND to_number(value) IS NULL THEN to_datetime(value, {order}, 'UTC') END AS moment
            FROM {VALUES})"""
    )
