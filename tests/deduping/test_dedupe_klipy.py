"""The rules of the klipy pack against a known answer."""

import json
from pathlib import Path

import pytest

from flitstack.deduping.dedupe import dedupe
from flitstack.packs.read import load_pack
from flitstack.staging.engine.engine import Engine
from flitstack.staging.engine.findings import FindingsWriter
from flitstack.staging.stage import StageOptions, stage

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
EXAMPLE = Path(__file__).resolve().parents[2] / "src" / "flitstack" / "packs" / "klipy" / "example"
CODES = (
    "missing_key",
    "invalid_email",
    "duplicate_merged",
    "possible_duplicate",
    "automated_sender",
    "internal_address",
)
FILES = {"contacts": "Contact", "companies": "Company"}


def found_in(export: Path, folder: Path, engine: Engine) -> dict[str, dict[str, str]]:
    """code -> "Object/record" -> what, of the export with its own scoping."""
    pack = load_pack("klipy")
    decisions = {name: decision.default for name, decision in pack.decisions.items()}
    decisions |= json.loads((export / "scoping.json").read_text())
    staged = stage(pack, export, folder / "staged", StageOptions(), engine, FindingsWriter(engine, "stage"))
    findings = FindingsWriter(engine, "dedupe")
    dedupe(pack, staged, folder / "staged", folder / "deduped", decisions, engine, findings)
    found: dict[str, dict[str, str]] = {}
    for code, name, record, what in engine.rows(f"SELECT code, object, record, what FROM {findings.table}"):
        found.setdefault(str(code), {})[f"{name}/{record}"] = str(what)
    return found


def test_the_bundled_example_says_what_must_happen_and_it_does(tmp_path: Path, engine: Engine) -> None:
    found = found_in(EXAMPLE, tmp_path, engine)
    assert {code: sorted(rows) for code, rows in found.items()} == {
        "automated_sender": ["Contact/p09"],
        "duplicate_merged": ["Company/c02", "Company/c03", "Contact/p02", "Contact/p03"],
        "internal_address": ["Contact/p10"],
        "invalid_email": ["Contact/p12"],
        "missing_key": ["Contact/p11"],
        "possible_duplicate": ["Company/c08", "Contact/p13"],
    }


@pytest.mark.shared
def test_the_known_answer_of_the_shared_export_is_met_exactly(tmp_path: Path, engine: Engine) -> None:
    export = SHARED / "exports" / "klipy"
    if not export.exists():
        pytest.skip("no shared data beside the checkout")
    issues = json.loads((export / "expected.json").read_text())["issues"]
    found = found_in(export, tmp_path, engine)
    for code in CODES:
        expected = {f"{FILES[row['file']]}/{row['id']}" for row in issues[code]["rows"]}
        assert set(found[code]) == expected, code
    for row in issues["duplicate_merged"]["rows"]:
        assert f"merged into {row['into']} " in found["duplicate_merged"][f"{FILES[row['file']]}/{row['id']}"]
    for row in issues["possible_duplicate"]["rows"]:
        assert f" as {row['other']}:" in found["possible_duplicate"][f"{FILES[row['file']]}/{row['id']}"]
    assert set(found) == set(CODES)
