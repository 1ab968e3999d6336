"""Load order: parents first, a second pass for what cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flitstack.errors import UsageError
from flitstack.mapping.document import MappedColumn, MappedRoute
from flitstack.planning.build import plan_steps
from flitstack.planning.document import SendColumn, SendTable
from flitstack.planning.order import order_groups
from flitstack.planning.rows import merge_columns


def route(table: str, phase: str, *targets: str) -> MappedRoute:
    columns = tuple(MappedColumn(f"to_{t}", "lookup", "Lookup", "", "", targets=(t,)) for t in targets)
    return MappedRoute(table, table, table, phase, True, "", 1, columns, False, False, False, False, targets)


def test_tables_of_a_phase_come_after_what_they_point_to() -> None:
    groups = order_groups(
        [route("note", "all", "contact"), route("contact", "all", "account"), route("account", "all")], ["all"]
    )
    assert [group.table for group in groups] == ["account", "contact", "note"]
    assert not any(group.held_back for group in groups)


def test_a_table_that_points_to_itself_gets_a_second_pass() -> None:
    (group,) = order_groups([route("account", "all", "account")], ["all"])
    assert group.held_back == {"to_account"}


def test_a_cycle_is_cut_and_the_cut_lookup_is_held_back() -> None:
    groups = order_groups([route("account", "all", "contact"), route("contact", "all", "account")], ["all"])
    assert sorted(name for group in groups for name in group.held_back) in (["to_account"], ["to_contact"])


def send(table: str, phase: str, *held_back: str) -> SendTable:
    columns = tuple(SendColumn(f"to_{t}", "Lookup", "", "", second_pass=True, targets=(t,)) for t in held_back)
    return SendTable(f"{phase}_{table}", table, phase, "", 1, "", columns, (table,), has_states=True)


def test_what_is_held_back_is_sent_once_the_rows_it_points_to_are_there_and_states_after_it() -> None:
    tables = [send("account", "first", "contact"), send("contact", "second", "contact"), send("task", "third")]
    steps = plan_steps((), tables, ["first", "second", "third"])
    assert [(step.kind, step.table, step.phase) for step in steps] == [
        ("create", "account", "first"),
        ("create", "contact", "second"),
        ("lookups", "account", "second"),
        ("lookups", "contact", "second"),
        ("state", "account", "second"),
        ("state", "contact", "second"),
        ("create", "task", "third"),
        ("state", "task", "third"),
    ]


def test_a_lookup_to_a_later_phase_is_held_back() -> None:
    groups = order_groups([route("account", "first", "contact"), route("contact", "second")], ["first", "second"])
    assert groups[0].held_back == {"to_contact"}


def test_a_phase_the_playbook_does_not_name_is_refused() -> None:
    with pytest.raises(UsageError, match="phase 'later'"):
        order_groups([route("account", "later")], ["first"])


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@given(st.dictionaries(NAMES, st.sets(NAMES), min_size=1))
def test_every_lookups_target_comes_first_or_in_a_later_pass(graph: dict[str, set[str]]) -> None:
    groups = order_groups([route(name, "all", *sorted(targets)) for name, targets in graph.items()], ["all"])
    place = {group.table: n for n, group in enumerate(groups)}
    assert set(place) == set(graph)
    for group in groups:
        for target in graph[group.table]:
            if target in place and place[target] >= place[group.table]:
                assert f"to_{target}" in group.held_back


def test_a_lookup_that_two_routes_fill_has_the_targets_of_both() -> None:
    one, other = (
        MappedRoute(
            table, table, "annotation", "all", True, "", 1,
            (MappedColumn("objectid", "lookup", "Lookup", "", "", targets=(table,)),), False, False, False, False, (table,),
        )
        for table in ("contact", "task")
    )  # fmt: skip
    assert [column.targets for column in merge_columns([one, other])] == [("contact", "task")]
