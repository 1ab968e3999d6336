"""A production that is no emulator: nothing is loaded there before the full run in the sandbox is reconciled and signed."""

from collections.abc import Iterator
from typing import Any

import pytest
from route.doorkeeper import without_admin_door
from route.route_case import EXAMPLE, TO_LOAD, TO_PLAN, Migration, begin, flit, serving

from flitstack.documents import read_yaml, write_yaml

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Migration, str, dict[str, Any]]]:
    """A project with two environments, taken through the gates; the sandbox's address, what was seen on the way."""
    folder = tmp_path_factory.mktemp("rehearsal")
    with (
        serving(folder / "production") as real,
        serving(folder / "sandbox") as sandbox,
        without_admin_door(real) as url,
    ):
        migration = begin(folder / "acme", real, EXAMPLE)
        assert flit("emulator", "seed", str(EXAMPLE / "destination"), "--url", sandbox).code == 0
        path = folder / "acme" / "flitstack.yaml"
        data, _ = read_yaml(path)
        environments = data["environments"]
        environments["sandbox"] = dict(environments["production"]) | {"url": sandbox}
        environments["production"]["url"] = url
        write_yaml(path, data)
        seen: dict[str, Any] = {"by itself": migration.run("run", "--rehearse")}
        migration.go(TO_PLAN + TO_LOAD)
        seen["unready"] = migration.run("approve", "rehearsal")
        seen["shut"] = migration.run("load")
        seen["rows before"] = len(migration.rows("contacts?$select=contactid"))
        seen["sandbox"] = migration.do("run", "--rehearse", "--env", "sandbox", code={0, 3})
        seen["unsigned"] = migration.run("load")
        migration.do("approve", "rehearsal")
        seen["loaded"] = migration.run("load")
        yield migration, sandbox, seen


def test_gates_of_a_production_do_not_open_by_themselves(both: tuple[Migration, str, dict[str, Any]]) -> None:
    assert both[2]["by itself"].code == 2
    assert "not-an-emulator" in both[2]["by itself"].errors


def test_production_waits_for_the_rehearsal_and_for_its_signature(both: tuple[Migration, str, dict[str, Any]]) -> None:
    _, _, seen = both
    assert seen["unready"].code == 4
    assert "flitstack run --env sandbox" in seen["unready"].stdout
    for name in ("shut", "unsigned"):
        assert seen[name].code == 4
        assert any("gate rehearsal" in problem["what"] for problem in seen[name].document["errors"])
    assert seen["loaded"].code in {0, 3}


def test_each_environment_has_its_journal_its_rows_and_its_rollback(
    both: tuple[Migration, str, dict[str, Any]],
) -> None:
    migration, sandbox, seen = both
    there = Migration(migration.folder, sandbox)
    names = {row["contactid"] for row in migration.rows("contacts?$select=contactid")}
    assert len(names) > seen["rows before"]
    assert not names & {row["contactid"] for row in there.rows("contacts?$select=contactid")}, (
        "row ids are an environment's own"
    )
    state = migration.folder / ".flitstack"
    assert all((state / name / "journal").is_dir() for name in ("production", "sandbox"))
    undone = migration.do("rollback", "--force", "--schema", "--env", "sandbox")
    assert undone["equal"]
    assert {row["contactid"] for row in migration.rows("contacts?$select=contactid")} == names
