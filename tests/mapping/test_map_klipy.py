"""The klipy pack's map against known answers."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mapping.pack_example import prepare

from flitstack.packs.read import load_pack
from flitstack.staging.engine.engine import Engine

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "exports" / "klipy"
CODES = (
    "bad_date", "bad_number", "negative_money", "orphan_parent", "overlong", "required_missing", "unknown_choice",
    "unknown_currency", "unresolved_lookup", "unsafe_html", "end_before_start", "empty_file", "file_too_large",
    "blocked_type",
)  # fmt: skip


@pytest.mark.shared
def test_the_known_answer_of_the_shared_export_is_met_exactly(tmp_path: Path, engine: Engine) -> None:
    if not SHARED.exists():
        pytest.skip("no shared data beside the checkout")
    expected = json.loads((SHARED / "expected.json").read_text())
    prepared = prepare(load_pack("klipy"), SHARED, tmp_path, engine)
    document, findings = prepared.run()
    told = engine.rows(f"SELECT code, record, outcome FROM {findings.table}")
    assert {code for code, _, _ in told} == set(CODES)
    for code in CODES:
        rows = expected["issues"][code]["rows"]
        assert sorted(record for found, record, _ in told if found == code) == sorted(row["id"] for row in rows), code
        held = {row["id"] for row in rows if row.get("held")}
        assert {record for found, record, outcome in told if found == code and outcome == "held"} == held, code
    counts: Counter[str] = Counter()
    for route in document.routes:
        name = {"file": "file", "note": "note", "memo": "note"}.get(route.name, route.table)
        counts[name] += route.rows
    assert {name: counts[name] for name in expected["tables"]} == expected["tables"]
    tags = [row["flit_tags"] for row in _rows(tmp_path, "contact__contact") + _rows(tmp_path, "deal__opportunity")]
    assert len({tag for text in tags if text for tag in text.split(", ")}) == 18


def test_the_bundled_example_says_what_must_happen_and_it_does(tmp_path: Path, engine: Engine) -> None:
    pack = load_pack("klipy")
    prepared = prepare(pack, pack.folder / "example", tmp_path, engine)
    document, findings = prepared.run()
    assert sum(document.held.values()) == engine.one(
        f"SELECT count(DISTINCT object || record) FROM {findings.table} WHERE outcome = 'held'"
    )[0]  # fmt: skip
    merged = {name: table.records for name, table in prepared.deduped.tables.items()}
    for name in ("Company", "Contact", "Deal", "Activity", "Note", "Attachment"):
        rows = sum(route.rows for route in document.routes if route.object == name and route.is_primary)
        assert rows + document.held.get(name, 0) + document.excluded.get(name, 0) == merged[name], name


def _rows(folder: Path, name: str) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = pq.read_table(folder / "mapped" / f"{name}.parquet").to_pylist()
    return rows
