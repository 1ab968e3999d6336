"""The licence tier is a limit the platform does not enforce; the plan does."""

import pytest

from flitstack.errors import UsageError
from flitstack.packs.playbook import vocabulary_strategies
from flitstack.packs.read import load_pack
from flitstack.planning.licence import check_licence

SIXTEEN = [{"kind": "create_table", "name": f"flit_t{n}"} for n in range(16)]


def test_a_professional_licence_stops_the_sixteenth_custom_table_and_the_tag_table_in_one_go() -> None:
    with pytest.raises(UsageError) as error:
        check_licence("professional", SIXTEEN, {"tag_strategy": "table"}, ["tag_strategy"])
    assert [problem.code for problem in error.value.problems] == [
        "too-many-custom-tables",
        "tag-table-needs-enterprise",
    ]


def test_fifteen_tables_and_other_licences_pass() -> None:
    check_licence("professional", SIXTEEN[:15], {"tag_strategy": "auto"}, ["tag_strategy"])
    check_licence("enterprise", SIXTEEN, {"tag_strategy": "table"}, ["tag_strategy"])


@pytest.mark.parametrize("pack", ["klipy", "clinic"])
def test_every_list_of_words_that_a_pack_could_make_a_table_of_is_looked_at(pack: str) -> None:
    strategies = vocabulary_strategies(load_pack(pack).playbook)
    assert strategies
    with pytest.raises(UsageError) as error:
        check_licence("professional", [], dict.fromkeys(strategies, "table"), strategies)
    assert [problem.where for problem in error.value.problems] == [f"decisions.yaml, {name}" for name in strategies]
