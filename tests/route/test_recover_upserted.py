"""A lost journal where the load had written into rows that were there before: a rollback deletes none of them, and claims nothing."""

import shutil
from pathlib import Path

import pytest
from route.rounds_case import decide
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, begin, serving
from route.test_upsert_rows import MARTA, by_id, seed

pytestmark = pytest.mark.slow


def test_rows_whose_before_images_are_lost_stay_and_are_told(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, EXAMPLE)
        seed(migration)
        before = by_id(migration, "contact", "contacts") | by_id(migration, "account", "accounts")
        decide(migration, existing_rows="source_wins")
        migration.go(TO_PLAN + TO_LOAD)
        migration.do("load", code={0, 3})
        journal = next((migration.folder / ".flitstack").glob("*/journal"))
        shutil.move(journal, tmp_path / "lost")

        recovered = migration.do("journal", "recover")
        updated = {table["table"]: table["updated"] for table in recovered["tables"]}
        assert (updated["contact"], updated["account"]) == (1, 1)
        assert any("2 rows that were there before us keep what we wrote" in what for what in recovered["lost"])
        loaded = by_id(migration, "contact", "contacts")
        (marta,) = [key for key, row in loaded.items() if key in before and row["flit_sourceid"]]
        company = loaded[marta]["_parentcustomerid_value"]
        assert company not in before, "the load made it, and deleting it would take the older contact along"

        undone = migration.do("rollback", code=5)
        after = by_id(migration, "contact", "contacts") | by_id(migration, "account", "accounts")
        assert before.keys() <= after.keys()
        assert undone["equal"] is False
        assert sorted(row["table"] for row in undone["lost_rows"]) == ["account", "contact"]
        assert marta in {row["row"] for row in undone["lost_rows"]}
        assert not undone["edited_rows"]
        assert after[marta]["jobtitle"] != MARTA["jobtitle"], "nobody knows what it held"
        assert [(row["row"], row["why"]) for row in undone["kept_rows"]] == [(company, "referenced")]
        assert after.keys() - before.keys() == {company}
