"""A new project: the customer's choices become decisions, defaults are marked as such, mistakes are told in one go."""

import json
from pathlib import Path

import pytest

from flitstack.app.decisions import read_option
from flitstack.app.project import Project
from flitstack.app.steps.new import export_request, new
from flitstack.documents import read_yaml
from flitstack.errors import UsageError
from flitstack.packs.read import load_pack
from flitstack.packs.types import Decision

CHOICE = Decision("owner_unmatched", "Who?", "block", {"block": "nobody", "fallback": "the fallback"})


def make(tmp_path: Path, choices: dict[str, object]) -> Project:
    export = tmp_path / "export"
    export.mkdir()
    scoping = tmp_path / "scoping.json"
    scoping.write_text(json.dumps(choices))
    new(tmp_path / "acme", "klipy", export, url="http://127.0.0.1:9/", scoping=scoping, operator="ana")
    return Project.open(tmp_path / "acme", "ana")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("fallback", "fallback"),
        ("fallback (see mail)", "fallback"),
        ("hold_queue_then_fallback", "fallback"),
        ("block", "block"),
    ],
)
def test_a_scoping_value_may_explain_itself(said: str, meant: str) -> None:
    assert read_option(CHOICE, said) == (meant, None)


def test_an_option_the_decision_does_not_have_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        make(tmp_path, {"owner_unmatched": "ask me later", "call_table": "fax"})
    assert [problem.code for problem in error.value.problems] == ["option-unknown", "option-unknown"]
    assert error.value.problems[1].known == "phonecall, task"


def test_decisions_say_who_took_them_and_defaults_say_that_they_are_defaults(tmp_path: Path) -> None:
    project = make(tmp_path, {"call_table": "task", "policies": {"html": "sanitise"}})
    written = read_yaml(project.folder / "decisions.yaml")[0]["decisions"]
    assert (written["call_table"]["option"], written["call_table"]["by"]) == ("task", "ana")
    assert written["date_order"]["by"] == "default"
    assert project.decisions["call_table"] == "task"
    assert project.decisions["policies"] == {"html": "sanitise"}, "what the pack does not ask is kept, not dropped"


def test_a_folder_that_holds_a_project_is_not_overwritten(tmp_path: Path) -> None:
    project = make(tmp_path, {})
    with pytest.raises(UsageError, match="holds a project already"):
        new(project.folder, "klipy", tmp_path / "export")


def test_every_wrong_setting_is_told_with_its_line(tmp_path: Path) -> None:
    project = make(tmp_path, {})
    settings = project.folder / "flitstack.yaml"
    settings.write_text(
        settings.read_text().replace("memory_mb: 256", "memory_mb: 1").replace("prefix: flit", "prefix: mscrmx")
    )
    with pytest.raises(UsageError) as error:
        Project.open(project.folder)
    assert len(error.value.problems) == 2
    assert all("flitstack.yaml:" in problem.where for problem in error.value.problems)


def test_the_export_request_names_every_object_and_field() -> None:
    pack = load_pack("klipy")
    text = export_request(pack)
    for source in pack.objects.values():
        assert f"## {source.label}" in text
        assert all(f"- {name} (" in text for name in source.fields)
