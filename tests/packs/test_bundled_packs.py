"""Every bundled pack, found by listing: it reads without a complaint and its example is complete."""

import pytest

from flitstack.packs.read import load_pack, pack_names


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
