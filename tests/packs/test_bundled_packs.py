"""Every bundled pack, found by listing: it reads without a complaint and its example is complete."""

from pathlib import Path

import pytest

from flitstack.catalogue.read import load_catalogue
from flitstack.mapping.pack_review import review_routes
from flitstack.packs.read import find_pack, load_pack, pack_names, read_pack
from flitstack.packs.review import review_example, review_pack
from flitstack.staging.engine.engine import Engine


@pytest.mark.parametrize("name", pack_names())
def test_the_pack_reads_and_brings_an_example(name: str) -> None:
    pack = load_pack(name)
    assert pack.objects
    assert (pack.folder / "example" / "destination" / "org.json").exists()
    assert set(pack.playbook["routes"]) <= set(pack.objects)


@pytest.mark.parametrize("name", pack_names())
def test_every_decision_asks_a_question_and_its_default_is_an_option(name: str) -> None:
    for decision in load_pack(name).decisions.values():
        assert decision.question.endswith(("?", ")", "such records", "moved")), decision.question
        assert not decision.options or str(decision.default) in decision.options


@pytest.mark.parametrize("name", pack_names())
def test_nothing_of_the_pack_is_wrong_by_reading_and_against_the_catalogue(name: str, tmp_path: Path) -> None:
    pack, problems = read_pack(find_pack(name))
    assert problems == []
    assert list(review_pack(pack)) == []
    assert list(review_example(pack)) == []
    with Engine(tmp_path / "scratch", memory_mb=128) as engine:
        wrong, _ = review_routes(pack, load_catalogue().tables, engine, tmp_path)
    assert wrong == []
