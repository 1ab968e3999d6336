"""The people of people.py through the engine: ids from the journal, choices, lookups by join, one send table and its plan."""

from collections.abc import Mapping
from pathlib import Path

from people import GENDERS, MARITAL, TEXTS

from flitstack.journal.journal import Journal
from flitstack.planning.document import Plan, SendColumn, SendTable, Step
from flitstack.planning.schema import SOURCE_KEY_LENGTH, source_key_column
from flitstack.staging.delimited_fast import BUFFER_BYTES, MAX_LINE_BYTES
from flitstack.staging.engine.engine import Engine, literal

PREFIX = "ex"
KEY = source_key_column(PREFIX)
TYPES = {
    **dict.fromkeys(TEXTS, "String"), "description": "Memo", "annualincome": "Money", "numberofchildren": "Integer",
    "birthdate": "DateTime", "gendercode": "Picklist", "familystatuscode": "Picklist", "parentcustomerid": "Customer",
    "ownerid": "Owner", KEY: "String",
}  # fmt: skip
LOOKUPS = ("parentcustomerid", "ownerid")


def make_plan(engine: Engine, journal: Journal, csv: Path, folder: Path, rows: int) -> Plan:
    """Map the export into `folder` and plan its load. The key map is journalled before anything is sent."""
    folder.mkdir(parents=True, exist_ok=True)
    allocation = journal.allocate("contact", rows)
    accounts, owners = (f"read_csv({literal(str(csv.parent / name))})" for name in ("accounts.csv", "owners.csv"))
    engine.run(f'CREATE TEMP TABLE accounts AS SELECT "key", CAST(id AS UUID) AS id FROM {accounts}')
    engine.run(f'CREATE TEMP TABLE owners AS SELECT "key", CAST(id AS UUID) AS id FROM {owners}')
    texts = ", ".join(f"c.{name}" for name in TEXTS)
    written = engine.write_parquet(
        f"""
        SELECT CAST(n AS BIGINT) AS _ord, {allocation.at_sql("CAST(n AS BIGINT)")} AS _row,
               md5('example/Contact/' || n) AS _digest, 'Contact' AS _object, 'people.csv' AS _file,
               n AS _record, CAST(n AS BIGINT) + 2 AS _line, {texts},
               CAST(replace(income, ',', '') AS DECIMAL(38, 2)) AS annualincome, CAST(children AS BIGINT) AS numberofchildren,
               CAST(strptime(birthday, '%d/%m/%Y') AS DATE) AS birthdate,
               {_choice("gender", GENDERS)} AS gendercode, {_choice("marital", MARITAL)} AS familystatuscode,
               a.id AS parentcustomerid, CASE WHEN company IS NOT NULL THEN 'account' END AS parentcustomerid__table,
               o.id AS ownerid, 'systemuser' AS ownerid__table, _digest AS {KEY}
        FROM read_csv({literal(str(csv))}, header = true, all_varchar = true,
                      max_line_size = {MAX_LINE_BYTES}, buffer_size = {BUFFER_BYTES}) c
        LEFT JOIN accounts a ON a."key" = company LEFT JOIN owners o ON o."key" = owner
        """,
        folder / "contact.parquet",
        in_order=False,
    )
    if written != rows:
        raise SystemExit(f"{written} rows were mapped, not {rows}")
    source = f"read_parquet({literal(str(folder / 'contact.parquet'))})"
    keys = folder / "keys.parquet"
    engine.write_parquet(
        f"SELECT _digest AS digest, 'example/Contact/' || _record AS plain, _object AS object, _row AS \"row\" FROM {source}",
        keys,
        in_order=False,
    )
    journal.store_keys("contact", keys)
    columns = tuple(SendColumn(name, kind, name, name, name in LOOKUPS) for name, kind in TYPES.items())
    send = SendTable("contact", "contact", "people", "contact.parquet", rows, "", columns, ("Contact",))
    key = {"type": "String", "length": SOURCE_KEY_LENGTH, "label": "Source key"}
    schema = ({"kind": "add_column", "table": "contact", "name": KEY, **key},)
    steps = (
        Step(0, "schema", "schema", "", "schema", operations=schema),
        Step(1, "create", "people", "contact", "contacts", "contact", rows),
    )
    return Plan(
        format=1, kind="full", environment="benchmark", url="", system="example", prefix=PREFIX, staged="", deduped="",
        maps={}, owners="", steps=steps, tables=(send,), phases=("schema", "people"), accounts={}, export=str(folder), sha256="people",
    )  # fmt: skip


def _choice(column: str, words: Mapping[str, int]) -> str:
    cases = " ".join(f"WHEN {literal(word)} THEN {value}" for word, value in words.items())
    return f"CAST(CASE {column} {cases} END AS BIGINT)"
