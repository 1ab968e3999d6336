"""Rows of publishers and solutions as the solution messages see them."""

from dataclasses import dataclass
from uuid import UUID

from flitstack.emulator.checkers import Stored
from flitstack.emulator.metadata.identity import metadata_id
from flitstack.emulator.metadata.live import Live
from flitstack.emulator.solutions.faults import unknown_solution
from flitstack.emulator.solutions.manifest import Manifest, Publisher
from flitstack.emulator.solutions.texts import Json
from flitstack.emulator.values import guid_text, uuid_blob

_TEXTS = "solution_texts"  # labels of a row in other languages: name "publisher/x" or "solution/x"
Row = dict[str, Stored]


@dataclass(frozen=True, slots=True)
class Solution:
    """One row; `publisher` is the stored id."""

    id: str
    unique_name: str
    friendly_name: str
    description: str
    version: str
    is_managed: bool
    publisher: bytes


def rows_of(live: Live, table: str) -> list[Row]:
    """All rows of a table in stored form."""
    connection = live.environment.connection
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone() is None:
        return []
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def find_solution(live: Live, name: object) -> Solution:
    """The solution with a unique name (case does not matter). Refusal 400."""
    for row in rows_of(live, "solution"):
        if isinstance(name, str) and str(row["uniquename"]).lower() == name.lower():
            return _solution(row)
    raise unknown_solution(name)


def solution_by_id(live: Live, id_: str) -> Solution | None:
    """The solution with an id."""
    return next((found for row in rows_of(live, "solution") if (found := _solution(row)).id == id_), None)


def _solution(row: Row) -> Solution:
    id_, publisher = row["solutionid"], row["publisherid"]
    return Solution(
        id=guid_text(id_) if isinstance(id_, bytes) else "",
        unique_name=str(row["uniquename"]),
        friendly_name=str(row["friendlyname"]),
        description=str(row["description"] or ""),
        version=str(row["version"]),
        is_managed=bool(row["ismanaged"]),
        publisher=publisher if isinstance(publisher, bytes) else b"",
    )


def solution_names(live: Live) -> dict[str, str]:
    """Ids of all solutions by unique name in lower case."""
    found = (_solution(row) for row in rows_of(live, "solution"))
    return {solution.unique_name.lower(): solution.id for solution in found}


def find_publisher(live: Live, name: str) -> Row | None:
    """The publisher with a unique name."""
    found = (row for row in rows_of(live, "publisher") if str(row["uniquename"]).lower() == name.lower())
    return next(found, None)


def publisher_of(live: Live, solution: Solution) -> Publisher:
    """The publisher of a solution, as solution.xml names it."""
    row = next(row for row in rows_of(live, "publisher") if row["publisherid"] == solution.publisher)
    name = str(row["uniquename"])
    return Publisher(
        unique_name=name,
        prefix=str(row["customizationprefix"]),
        option_prefix=int(row["customizationoptionvalueprefix"] or 0),
        labels=texts(live, f"publisher/{name}", "labels", str(row["friendlyname"])),
        descriptions=texts(live, f"publisher/{name}", "descriptions", str(row["description"] or "")),
        email=str(row["emailaddress"] or ""),
        website=str(row["supportingwebsiteurl"] or ""),
    )


def texts(live: Live, name: str, part: str, own: str) -> Json:
    """The label of a row: its own text in the base language, others as an import brought them."""
    kept = live.documents(_TEXTS).get(name, {}).get(part)
    found = dict(kept) if isinstance(kept, dict) else {}
    found.pop(str(live.language), None)
    labels = [{"Label": own, "LanguageCode": live.language}] if own else []
    return {"LocalizedLabels": [*labels, *({"Label": text, "LanguageCode": int(c)} for c, text in found.items())]}


def put_rows(live: Live, manifest: Manifest) -> None:
    """The publisher, unless it is there, and the solution of an import."""
    publisher = find_publisher(live, manifest.publisher.unique_name)
    publisher_id = publisher["publisherid"] if publisher else _put_publisher(live, manifest.publisher)
    name = manifest.unique_name
    known = next((row for row in rows_of(live, "solution") if str(row["uniquename"]).lower() == name.lower()), {})
    moment = f"{live.occasion.now:%Y-%m-%dT%H:%M:%SZ}"
    values: Row = {
        **{column: value for column, value in known.items() if column not in {"modifiedon", "versionnumber"}},
        "uniquename": known.get("uniquename", name),
        "friendlyname": _own(live, manifest.labels, name),
        "description": _own(live, manifest.descriptions, "") or None,
        "version": manifest.version,
        "ismanaged": int(manifest.is_managed),
        "isvisible": 1,
        "publisherid": publisher_id,
        "installedon": known.get("installedon") or moment,
        "updatedon": moment if known else None,
    }
    id_ = known.get("solutionid")
    values.pop("solutionid", None)
    text = guid_text(id_) if isinstance(id_, bytes) else metadata_id("solution", name)
    live.environment.put_row("solution", UUID(text), values)
    _keep(live, f"solution/{name}", manifest.labels, manifest.descriptions)


def _put_publisher(live: Live, publisher: Publisher) -> bytes:
    id_ = UUID(metadata_id("publisher", publisher.unique_name))
    values: Row = {
        "uniquename": publisher.unique_name,
        "friendlyname": _own(live, publisher.labels, publisher.unique_name),
        "description": _own(live, publisher.descriptions, "") or None,
        "customizationprefix": publisher.prefix,
        "customizationoptionvalueprefix": publisher.option_prefix,
        "emailaddress": publisher.email or None,
        "supportingwebsiteurl": publisher.website or None,
        "isreadonly": 0,
    }
    live.environment.put_row("publisher", id_, values)
    _keep(live, f"publisher/{publisher.unique_name}", publisher.labels, publisher.descriptions)
    return uuid_blob(id_)


def _own(live: Live, label: Json, default: str) -> str:
    found = {item["LanguageCode"]: item["Label"] for item in label.get("LocalizedLabels", [])}
    return str(found.get(live.language) or next(iter(found.values()), default))


def _keep(live: Live, name: str, labels: Json, descriptions: Json) -> None:
    kept = {
        part: {str(item["LanguageCode"]): item["Label"] for item in label.get("LocalizedLabels", [])}
        for part, label in (("labels", labels), ("descriptions", descriptions))
    }
    live.environment.put_document(_TEXTS, name, {**kept})
    live.forget()
