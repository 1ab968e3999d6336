"""Gates at the front door: `run` stops at the first closed one, approvals fall with what they approved."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from route.route_case import EXAMPLE, Answer, Migration, begin, flit, serving


@dataclass(frozen=True)
class Gated:
    """The example with every gate up to the map open, and what `run` said at each while it was shut."""

    migration: Migration
    stops: dict[str, Answer]


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    folder = tmp_path_factory.mktemp("gates")
    with serving(folder / "emulator") as url:
        migration = begin(folder / "acme", url, EXAMPLE)
        stops = {}
        for gate in ("export", "quality", "map"):
            stops[gate] = migration.run("run")
            if gate == "map":
                migration.do("map", "--confirm", "all")
            migration.do("approve", gate, "--as", "ana")
        yield Gated(migration, stops)


@pytest.fixture
def migration(gated: Gated) -> Migration:
    return gated.migration


def state(migration: Migration, gate: str) -> str:
    """One gate's state."""
    return str(migration.do("status")["gates"][gate]["state"])


def test_run_stops_at_each_closed_gate_in_turn_and_says_what_to_do(gated: Gated) -> None:
    assert {gate: answer.code for gate, answer in gated.stops.items()} == {"export": 4, "quality": 4, "map": 4}
    for gate, answer in gated.stops.items():
        told = answer.errors["gate-closed"]
        assert told["what"].startswith(f"gate {gate} ")
        assert f"flitstack approve {gate}" in told["do"]
    assert "flitstack map --confirm all" in gated.stops["map"].errors["gate-closed"]["what"]


def test_a_gate_cannot_be_approved_before_there_is_something_to_approve(migration: Migration) -> None:
    answer = migration.run("approve", "sample")
    assert answer.code == 4
    assert answer.errors["gate-not-ready"]["do"]


def test_a_gate_that_does_not_exist_is_a_mistake_of_the_command_line(migration: Migration) -> None:
    answer = migration.run("approve", "lunch")
    assert answer.code == 2
    assert "quality" in answer.errors["gate-unknown"]["known"]


def test_an_approval_of_the_map_falls_when_the_map_changes(migration: Migration) -> None:
    path = migration.folder / "mapping" / "Contact.yaml"
    before = path.read_text()
    path.write_text(before.replace("table: contact", "table:  contact", 1))
    assert state(migration, "map") == "fallen"
    answer = migration.run("plan")
    assert answer.code == 4
    assert "has changed" in answer.errors["gate-closed"]["what"]
    path.write_text(before)
    assert state(migration, "map") == "open"


def test_an_approval_of_the_quality_falls_when_the_export_changes(tmp_path: Path, migration: Migration) -> None:
    copy = tmp_path / "export"
    copy.mkdir()
    for path in EXAMPLE.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    (copy / "notes.csv").write_text((copy / "notes.csv").read_text() + "n99,Late note,no,,,,,2024-07-01 10:00\n")
    migration.do("stage", "--export", str(copy), code={0, 3})
    assert state(migration, "export") == "fallen"
    assert state(migration, "quality") == "waiting"
    migration.do("stage", code={0, 3})
    assert state(migration, "export") == "open"
    assert state(migration, "quality") == "open"


@pytest.mark.parametrize("url", ["https://acme.crm4.dynamics.com", "http://127.0.0.1:9"])
def test_rehearsing_is_refused_where_no_emulator_answers(tmp_path: Path, url: str) -> None:
    migration = begin(tmp_path / "acme", url, EXAMPLE, seeded=False)
    answer = migration.run("run", "--rehearse")
    assert answer.code == 2
    assert answer.errors["not-an-emulator"]["where"] == url
    assert not (migration.folder / ".flitstack" / "staged").exists()
    assert not (migration.folder / "approvals.yaml").exists()


def test_four_eyes_want_another_person_than_the_one_who_did_it(tmp_path: Path) -> None:
    migration = begin(tmp_path / "acme", "http://127.0.0.1:9", EXAMPLE, seeded=False)
    settings = migration.folder / "flitstack.yaml"
    settings.write_text(settings.read_text().replace("four_eyes: false", "four_eyes: true"))
    migration.do("stage", "--as", "ana", code={0, 3})
    answer = migration.run("approve", "export", "--as", "ana")
    assert answer.code == 4
    assert "ana" in answer.errors["four-eyes"]["what"]
    assert migration.do("approve", "export", "--as", "ben")["by"] == "ben"


def test_a_word_that_is_no_command_is_usage(tmp_path: Path) -> None:
    assert flit("new", str(tmp_path / "x"), "--from", "nocrm", "--export", str(EXAMPLE)).code == 2
