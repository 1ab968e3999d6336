"""A plan of contacts with 25 columns, any number of rows, made in the engine; for benchmarks of the load stage alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flitstack.planning.document import Plan, SendColumn, SendTable, Step
from flitstack.staging.engine.engine import Engine

# Column -> (type, SQL over n).
COLUMNS = {
    "firstname": ("String", "'First ' || n"), "lastname": ("String", "'Last ' || n"),
    "emailaddress1": ("String", "'person' || n || '@example.com'"), "emailaddress2": ("String", "'p' || n || '@example.org'"),
    "jobtitle": ("String", "'Engineer ' || n % 97"), "telephone1": ("String", "'+1 555 ' || lpad((n % 10000)::VARCHAR, 4, '0')"),
    "telephone2": ("String", "'+1 556 ' || lpad((n % 10000)::VARCHAR, 4, '0')"), "mobilephone": ("String", "'+44 7700 ' || n % 100000"),
    "fax": ("String", "'+1 557 ' || n % 10000"), "department": ("String", "'Department ' || n % 31"),
    "address1_line1": ("String", "n || ' Long Street'"), "address1_line2": ("String", "'Floor ' || n % 40"),
    "address1_city": ("String", "'City ' || n % 500"), "address1_stateorprovince": ("String", "'State ' || n % 50"),
    "address1_postalcode": ("String", "lpad((n % 100000)::VARCHAR, 5, '0')"), "address1_country": ("String", "'Country ' || n % 90"),
    "address2_line1": ("String", "n || ' Short Street'"), "address2_city": ("String", "'Town ' || n % 400"),
    "nickname": ("String", "'nick' || n"), "middlename": ("String", "'M' || n % 26"), "salutation": ("String", "'Dr.'"),
    "description": ("Memo", "'Met at the fair, \"quoted\" and with ünïcode ' || n"), "websiteurl": ("String", "'https://example.com/' || n"),
    "annualincome": ("Money", "(n % 100000)::DECIMAL(38, 2)"), "numberofchildren": ("Integer", "(n % 4)::BIGINT"),
}  # fmt: skip
TOO_LONG = 60  # a last name holds 50


@dataclass(frozen=True)
class ContactsCase:
    """A plan on disk."""

    folder: Path
    plan: Plan


def rows_sql(rows: int, bad: Sequence[int] = ()) -> str:
    """The rows; those in `bad` have a last name that is too long."""
    picked = ", ".join(map(str, bad)) or "-1"
    parts = []
    for name, (_, sql) in COLUMNS.items():
        value = f"CASE WHEN n IN ({picked}) THEN repeat('x', {TOO_LONG}) ELSE {sql} END" if name == "lastname" else sql
        parts.append(f"{value} AS {name}")
    return f"SELECT n, {', '.join(parts)} FROM range({rows}) r(n)"


def contacts_case(engine: Engine, folder: Path, rows: int, bad: Sequence[int] = ()) -> ContactsCase:
    """Write send table and plan of generated rows; texts are typed on the way."""
    folder.mkdir(parents=True, exist_ok=True)
    row_id = "CAST('07070707-0707-8707-8000-' || lpad(lower(to_hex(CAST(n AS BIGINT))), 12, '0') AS UUID)"
    typed = ", ".join(
        f"CAST({name} AS {_SQL_TYPES.get(kind, 'VARCHAR')}) AS {name}" for name, (kind, _) in COLUMNS.items()
    )
    origin = f"CAST(n AS BIGINT) AS _ord, {row_id} AS _row, md5(n::VARCHAR) AS _digest, 'Contact' AS _object, 'c.csv' AS _file"
    engine.write_parquet(
        f"SELECT {origin}, n::VARCHAR AS _record, CAST(n AS BIGINT) + 2 AS _line, {typed} FROM ({rows_sql(rows, bad)})",
        folder / "contact.parquet",
    )
    columns = tuple(SendColumn(name, kind, name, name) for name, (kind, _) in COLUMNS.items())
    send = SendTable("contact", "contact", "people", "contact.parquet", rows, "", columns, ("Contact",))
    step = Step(0, "create", "people", "contact", "contacts", "contact", rows)
    plan = Plan(
        format=1, kind="full", environment="benchmark", url="", system="example", prefix="ex", staged="", deduped="",
        maps={}, owners="", steps=(step,), tables=(send,), phases=("people",), accounts={}, export=str(folder), sha256="contacts",
    )  # fmt: skip
    return ContactsCase(folder, plan)


_SQL_TYPES = {"Money": "DECIMAL(38, 2)", "Integer": "BIGINT"}


class Silent:
    """Progress nobody looks at."""

    def phase(self, title: str, total: int | None = None) -> None:
        """Nothing to show."""

    def advance(self, rows: int) -> None:
        """Nothing to show."""
