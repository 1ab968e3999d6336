"""What may stand in a map's expression, and how it is completed for the engine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flitstack.mapping.expressions import (
    ALLOWED,
    VALUE_FUNCTIONS,
    ExpressionError,
    Scope,
    compile_expression,
    fields_of,
    problems_of,
)
from flitstack.mapping.sharing import share_calls
from flitstack.staging.engine.engine import Engine

FIELDS = ("Id", "Name", "Started At", "Ended At", "Seconds", "Mails")
SCOPE = Scope(
    FIELDS,
    {
        "calls": "task",
        "hosts": ["a.com", "b.com"],
        "limit": 5,
        "words": {"a-b": "x", "": "none"},
        "marks": {"-": "absent", "+": "there"},
    },
    "MDY",
    "UTC",
    {"Ended At": "Europe/Kyiv"},
)


@pytest.mark.parametrize(
    "text",
    [
        "read_csv('/etc/passwd')",
        "getenv('HOME')",
        "(SELECT 1)",
        "Id IN (SELECT Id FROM x)",
        "row_number() OVER ()",
        "Nmae",
        "other.Id",
        "Id; DROP TABLE x",
        "$1",
        "*",
        "decision('unknown') = 'x'",
        "list_transform(split_list(Mails, ';'), v -> getenv(v))",
        "'unfinished",
        "current_database()",
        "current_user",
        "nextval('x')",
    ],
)
def test_an_expression_reads_nothing_but_the_record(text: str) -> None:
    assert list(problems_of(text, SCOPE))
    with pytest.raises(ExpressionError):
        compile_expression(text, SCOPE)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ('to_datetime("Ended At")', "to_datetime(\"Ended At\", 'MDY', 'Europe/Kyiv')"),
        ("to_date(Name)", "to_date(Name, 'MDY')"),
        ('plus_seconds("Started At", Seconds)', "plus_seconds_at(\"Started At\", Seconds, 'MDY', 'UTC')"),
        ("decision('calls') = 'task' AND Id = 'a'", "Id = 'a'"),
        ("list_contains(decision('hosts'), 'A.com')", "TRUE"),
        ("list_contains(decision('hosts'), 'c.com')", "FALSE"),
        (
            "mapped('words', Id)",
            (
                "CASE WHEN choice_key('a-b') = coalesce(choice_key(Id), '') THEN 'x'"
                " WHEN coalesce(choice_key(Id), '') = '' THEN 'none' ELSE Id END"
            ),
        ),
        ("list_contains(decision('hosts'), Id)", "list_contains(list_value('a.com', 'b.com'), Id)"),
        ("to_number(Seconds) / 60", "to_number(Seconds) / 60"),
    ],
)
def test_expressions_are_completed_with_what_scoping_decided(text: str, sql: str) -> None:
    assert compile_expression(text, SCOPE).sql == sql


def test_a_condition_that_a_decision_settles_is_a_constant() -> None:
    assert compile_expression("Id = 'a' AND decision('calls') = 'phonecall'", SCOPE).constant is False
    assert compile_expression("decision('calls') = 'task'", SCOPE).constant is True
    assert compile_expression("Id = 'a'", SCOPE).constant is None


def test_fields_that_stand_for_a_date_are_read_as_one() -> None:
    found = compile_expression("CASE WHEN Id = 'a' THEN coalesce(Name, \"Started At\") END", SCOPE, moment="to_date")
    assert found.sql == "CASE WHEN Id = 'a' THEN coalesce(to_date(Name, 'MDY'), to_date(\"Started At\", 'MDY')) END"
    assert found.readings == (("date", "Name"), ("date", "Started At"))


def test_fields_are_named_as_the_pack_spells_them() -> None:
    assert fields_of('lower(NAME) || "started at"', FIELDS) == ("Name", "Started At")


def test_every_function_of_the_allow_list_exists_in_the_engine(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        engine.run(f"SELECT 1 /* {' '.join(ALLOWED)} */")  # a value function is there once a statement names it
        known = {str(row[0]).casefold() for row in engine.rows("SELECT DISTINCT function_name FROM duckdb_functions()")}
    # These have a grammar of their own, or are completed before the engine sees them.
    completed = {
        "coalesce",
        "if",
        "ifnull",
        "nullif",
        "decision",
        "plus_seconds",
        "json_items",
        "mapped",
        "is_agreed",
        "session_dates",
        "json_text",
    }
    assert not ALLOWED - known - completed


@given(
    st.lists(
        st.sampled_from(
            [
                "clean(Name)",
                "choice_key(clean(Name))",
                "Id",
                "upper(Id) || clean(Name)",
                "NULL",
                "given_name(Id, Name)",
                "family_name(Id, Name) || 'x'",
            ]
        ),
        min_size=1,
    )
)
def test_sharing_calls_changes_no_value(texts: list[str]) -> None:
    layers, columns = share_calls([(f"c{number}", text) for number, text in enumerate(texts)])
    assert [name for name, _ in columns] == [f"c{number}" for number in range(len(texts))]
    calls = [sql for layer in layers for _, sql in layer]
    assert len(calls) == len(set(calls))
    assert not any(f"{name}(" in sql for _, sql in columns for name in VALUE_FUNCTIONS)
    known = {"Id", "Name"}
    for layer in [*layers, columns]:
        for _, sql in layer:
            assert set(fields_of(sql, tuple(known))) | {"Id", "Name"} <= known
        known |= {name for name, _ in layer}


@pytest.mark.parametrize(
    ("given", "mapped", "agreed"),
    [
        (" - ", "absent", True),
        ("+", "there", True),
        ("ABSENT", "ABSENT", True),
        ("--", "--", False),
        ("b", "b", False),
        (None, None, True),
    ],
)
def test_a_mark_of_punctuation_means_what_was_decided(
    tmp_path: Path, given: str | None, mapped: str | None, agreed: bool
) -> None:
    scope = Scope(("x",), SCOPE.decisions)
    asked = [compile_expression(f"{name}('marks', x)", scope).sql for name in ("mapped", "is_agreed")]
    with Engine(tmp_path) as engine:
        text = "NULL::VARCHAR" if given is None else f"'{given}'"
        assert engine.one(f"SELECT {', '.join(asked)} FROM (SELECT {text} AS x)") == (mapped, agreed)


@pytest.mark.parametrize(
    ("given", "mapped"), [("C", "see"), ("c#", "sharp"), ("C.", "C."), ("f.", "eff"), ("-", "none"), (None, "none")]
)
def test_a_decision_about_values_that_differ_in_punctuation_goes_by_each_as_it_stands(
    tmp_path: Path, given: str | None, mapped: str
) -> None:
    scope = Scope(("x",), {"words": {"C": "see", "C#": "sharp", "F": "eff", "": "none"}})
    with Engine(tmp_path) as engine:
        text = "NULL::VARCHAR" if given is None else f"'{given}'"
        sql = compile_expression("mapped('words', x)", scope).sql
        assert engine.one(f"SELECT {sql} FROM (SELECT {text} AS x)") == (mapped,)
