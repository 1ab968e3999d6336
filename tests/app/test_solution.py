"""`flitstack solution`: what an administrator imports is what the metadata calls would have made."""

import base64
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from route.route_case import TO_PLAN, Migration, begin, serving

from flitstack.packs.read import load_pack


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """Interactive's example: custom tables, lookups, choices, keys."""
    folder = tmp_path_factory.mktemp("solution")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, load_pack("interactive").folder / "example", pack="interactive")
        migration.go(TO_PLAN)
        yield migration


def test_the_file_imports_and_leaves_the_plan_nothing_to_make(planned: Migration, tmp_path: Path) -> None:
    wanted = planned.do("plan", code={0, 3})["schema"]
    assert {"create_table", "add_column", "add_key"} <= {operation["kind"] for operation in wanted}
    file = tmp_path / "schema.zip"
    told = planned.do("solution", "--to", str(file))
    assert (told["left"], told["operations"]) == ([], len(wanted))
    planned.admin("snapshot", {"name": "before"})
    body = {
        "CustomizationFile": base64.b64encode(file.read_bytes()).decode(),
        "OverwriteUnmanagedCustomizations": False,
        "PublishWorkflows": False,
        "ImportJobId": "11111111-2222-4333-8444-555555555555",
    }
    planned.post("ImportSolution", body)
    planned.post("PublishAllXml", {})
    assert planned.do("plan", code={0, 3})["schema"] == []
    again = planned.do("solution", "--to", str(tmp_path / "none.zip"))
    assert (again["file"], (tmp_path / "none.zip").exists()) == (None, False)


def test_the_file_names_solution_publisher_and_prefix(planned: Migration, tmp_path: Path) -> None:
    planned.admin("restore", {"name": "before"})
    planned.do("plan", code={0, 3})
    file = tmp_path / "schema.zip"
    planned.do("solution", "--to", str(file))
    with zipfile.ZipFile(file) as content:
        manifest = content.read("solution.xml").decode()
    for text in ("<UniqueName>flit_schema</UniqueName>", "<Managed>0</Managed>", "Prefix>flit</Customization"):
        assert text in manifest


def test_without_a_plan_there_is_nothing_to_write(tmp_path: Path) -> None:
    with serving(tmp_path / "emulator") as url:
        migration = begin(tmp_path / "acme", url, load_pack("klipy").folder / "example", seeded=False)
        answer = migration.run("solution", "--to", str(tmp_path / "schema.zip"))
    assert (answer.code, "not-planned" in answer.errors) == (2, True)
