"""Laws: clusters are the connected components, deduping twice is deduping once, nothing is ever lost."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from deduping.dedupe_case import Case, Outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flitstack.deduping.review import MergeDecisions, Pair
from flitstack.staging.engine.engine import Engine

pytestmark = pytest.mark.slow

RULES = """
Thing:
  required: {key: clean(Needed), field: Needed, missing: missing_key, unreadable: missing_key}
  identity: [{rule: a, key: clean(A)}, {rule: b, key: clean(B)}, {rule: c, key: clean(C), only_unkeyed: true}]
  flags: [{code: out, when: "C = 'x'", outcome: excluded}]
"""
few = st.sampled_from(["", "", "1", "2", "3", "4"])
things = st.lists(
    st.tuples(few, few, st.sampled_from(["", "1", "2", "x"]), st.sampled_from(["y", "y", "y", ""])), max_size=14
)
Things = list[tuple[str, str, str, str]]
ONE_ENGINE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[dict[str, str]]], Outcome]:
    engine = Engine(tmp_path_factory.mktemp("scratch"), memory_mb=128)

    def dedupe(rows: list[dict[str, str]], signed: MergeDecisions | None = None) -> Outcome:
        with TemporaryDirectory() as folder:
            return Case(Path(folder), engine, {"Thing": rows}, RULES).run(signed)

    yield dedupe  # type: ignore[misc]
    engine.close()


def rows_of(drawn: Things) -> list[dict[str, str]]:
    named = [dict(zip(("A", "B", "C", "Needed"), thing, strict=True)) for thing in drawn]
    return [{"Id": f"t{number:02}", **thing} for number, thing in enumerate(named)] or [
        {"Id": "t", "A": "", "B": "", "C": "", "Needed": "y"}
    ]


def components(rows: list[dict[str, str]]) -> dict[str, str]:
    """Id -> lowest id of its cluster, the slow and plain way."""
    staying = [row for row in rows if row["Needed"] and row["C"] != "x"]
    parent = {row["Id"]: row["Id"] for row in staying}

    def root(node: str) -> str:
        while parent[node] != node:
            node = parent[node]
        return node

    def join(one: str, other: str) -> None:
        low, high = sorted((root(one), root(other)))
        parent[high] = low

    def join_equal(records: list[dict[str, str]], field: str) -> None:
        for row in records:
            for other in records:
                if row[field] and row[field] == other[field]:
                    join(row["Id"], other["Id"])

    join_equal(staying, "A")
    join_equal(staying, "B")
    keyed = [row for row in staying if row["A"] or row["B"]]
    unkeyed = [row for row in staying if not (row["A"] or row["B"])]
    homes = {value: {root(row["Id"]) for row in keyed if row["C"] == value} for value in ("1", "2")}
    for row in unkeyed:
        if len(homes.get(row["C"], ())) == 1:
            join(row["Id"], next(iter(homes[row["C"]])))
    join_equal([row for row in unkeyed if len(homes.get(row["C"], ())) != 1], "C")
    return {row["Id"]: root(row["Id"]) for row in staying}


@ONE_ENGINE
@given(things)
def test_clusters_are_the_connected_components(run: Callable[[list[dict[str, str]]], Outcome], drawn: Things) -> None:
    rows = rows_of(drawn)
    outcome = run(rows)
    expected = components(rows)
    assert outcome.merged() == {own: lowest for own, lowest in expected.items() if own != lowest}


@ONE_ENGINE
@given(things)
def test_nothing_is_lost_and_the_same_export_gives_the_same_outcome(
    run: Callable[[list[dict[str, str]]], Outcome], drawn: Things
) -> None:
    rows = rows_of(drawn)
    once, again = run(rows), run(rows)
    left = {record for _, _, record, outcome, _ in once.findings if outcome in {"held", "excluded"}}
    # A record that is both, without its key and out by rule, counts once and is told twice.
    assert sorted([*once.ids("Thing"), *once.merged(), *left]) == [row["Id"] for row in rows]
    assert again.document.fingerprint == once.document.fingerprint
    assert again.rows == once.rows


@ONE_ENGINE
@given(things)
def test_deduping_twice_is_deduping_once(run: Callable[[list[dict[str, str]]], Outcome], drawn: Things) -> None:
    # Without the rule for unkeyed records: a value that only a merged-away record had no longer makes a name ambiguous.
    rows = [{**row, "C": "x" if row["C"] == "x" else ""} for row in rows_of(drawn)]
    once = run(rows)
    fields = ("A", "B", "C", "Needed")
    kept = [{"Id": row["_id"], **{name: row[name] or "" for name in fields}} for row in once.rows["Thing"]]
    if kept:
        twice = run(kept)
        assert twice.merged() == {}
        assert twice.ids("Thing") == once.ids("Thing")


@ONE_ENGINE
@given(things, st.sets(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=6))
def test_no_pair_kept_apart_is_one_and_every_record_has_one_place(
    run: Callable[..., Outcome], drawn: Things, pairs: set[tuple[int, int]]
) -> None:
    rows = rows_of(drawn)
    apart = {(f"t{a:02}", f"t{b:02}") for a, b in pairs if a != b}
    outcome = run(rows, MergeDecisions(keep_apart=frozenset(Pair("Thing", a, b) for a, b in apart)))
    merged = outcome.merged()
    left = {record for _, _, record, told, _ in outcome.findings if told in {"held", "excluded"}}
    assert sorted([*outcome.ids("Thing"), *merged, *left]) == [row["Id"] for row in rows]
    homes = {record: merged.get(record, record) for record in [*outcome.ids("Thing"), *merged]}
    assert not [pair for pair in apart if homes.get(pair[0], "") == homes.get(pair[1], "-")]
    assert set(homes.values()) <= set(outcome.ids("Thing"))
