"""The licence tier is a limit the platform does not enforce; the plan does."""

import pytest

from flitstack.errors import UsageError
from flitstack.planning.licence import check_licence

SIXTEEN = [{"kind": "create_table", "name": f"flit_t{n}"} for n in range(16)]


def test_a_professional_licence_stops_the_sixteenth_custom_table_and_the_tag_table_in_one_go() -> None:
    with pytest.raises(UsageError) as error:
        check_licence("professional", SIXTEEN, {"tag_strategy": "table"})
    assert [problem.code for problem in error.value.problems] == [
        "too-many-custom-tables",
        "tag-table-needs-enterprise",
    ]


def test_fifteen_tables_and_other_licences_pass() -> None:
    check_licence("professional", SIXTEEN[:15], {"tag_strategy": "auto"})
    check_licence("enterprise", SIXTEEN, {"tag_strategy": "table"})
