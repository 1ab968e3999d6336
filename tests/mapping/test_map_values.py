"""What a column makes of a source value, and what it says when it cannot."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from mapping.map_case import MapCase, Mapped

ROUTE = "routes: [{table: opportunity, name: deal, phase: rest, key: Id, columns: {%s}}]"


def deals(case: Callable[..., MapCase], columns: str, *rows: dict[str, str | None], **more: object) -> Mapped:
    numbered = [{"Id": str(number), **row} for number, row in enumerate(rows, start=1)]
    return case(objects={"Deal": numbered}, maps={"Deal": ROUTE % columns}, **more).run()


def test_money_is_rounded_to_the_columns_scale_and_text_is_no_number(case: Callable[..., MapCase]) -> None:
    mapped = deals(
        case,
        "estimatedvalue: {from: V}",
        {"V": "1.234,567"},
        {"V": "TBD"},
        {"V": "(1,200.00)"},
        {"V": "9" * 20},
        {"V": None},
    )
    values = {record: row["estimatedvalue"] for record, row in mapped.rows["deal"].items()}
    assert values == {"1": Decimal("1234.57"), "2": None, "3": Decimal("-1200.00"), "4": None, "5": None}
    assert mapped.findings == [
        ("bad_number", "2", "loaded", "V"),
        ("bad_number", "4", "loaded", "V"),
        ("rounded", "1", "loaded", "V"),
    ]


@pytest.mark.parametrize(
    ("source", "told"), [("V", ["1", "3"]), ("to_number(V) * 1", ["1", "3"]), ("to_number(V) / 8", [])]
)
def test_a_number_that_loses_decimals_is_listed_and_one_that_is_worked_out_is_not(
    case: Callable[..., MapCase], source: str, told: list[str]
) -> None:
    made = case(
        objects={"Deal": [{"Id": str(n), "V": v} for n, v in enumerate(("0.125", "0.130", "12.345 €", "5"), start=1)]},
        maps={"Deal": ROUTE % f"estimatedvalue: {{from: '{source}'}}"},
    )
    mapped = made.run()
    assert mapped.findings == [("rounded", record, "loaded", "V") for record in told]
    if told:
        assert "rounded to 2" in made.engine.one("SELECT what FROM findings_of_map")[0]


def test_a_fraction_is_no_whole_number_and_the_range_is_the_columns_own(case: Callable[..., MapCase]) -> None:
    mapped = deals(case, "closeprobability: {from: P}", {"P": "12.0"}, {"P": "12.5"}, {"P": "101"}, {"P": "100%"})
    assert [row["closeprobability"] for row in mapped.rows["deal"].values()] == [12, None, None, 100]
    assert {record for _, record, _, _ in mapped.findings} == {"2", "3"}


def test_dates_follow_the_decided_order_and_zone(case: Callable[..., MapCase]) -> None:
    mapped = deals(
        case,
        "estimatedclosedate: {from: D}, overriddencreatedon: {from: D}",
        {"D": "03/04/2025"},
        {"D": "2025-04-03T10:00:00Z"},
        {"D": "31/31/2025"},
        context={"date_order": "DMY", "zone": "Europe/Kyiv"},
    )
    rows = mapped.rows["deal"]
    assert [rows[n]["estimatedclosedate"] for n in "123"] == [date(2025, 4, 3), date(2025, 4, 3), None]
    assert rows["1"]["overriddencreatedon"] == datetime(2025, 4, 2, 21, 0, tzinfo=UTC)
    assert mapped.findings == [("bad_date", "3", "loaded", "D")]


@pytest.mark.parametrize(
    ("create", "value"),
    [
        ("format: DateOnly", date(2025, 4, 3)),
        ("behaviour: DateOnly", date(2025, 4, 3)),
        ("format: DateOnly, behaviour: UserLocal", datetime(2025, 4, 3, 10, tzinfo=UTC)),
        ("format: DateAndTime", datetime(2025, 4, 3, 10, tzinfo=UTC)),
    ],
)
def test_a_column_to_be_made_takes_what_it_will_hold(
    case: Callable[..., MapCase], create: str, value: date | datetime
) -> None:
    """Its format is only how it looks: with the behaviour of user-local times it keeps the hour (docs/destination.md, add_column)."""
    columns = f"t_when: {{from: D, create: {{type: DateTime, label: When, {create}}}}}"
    assert deals(case, columns, {"D": "2025-04-03T10:00:00Z"}).rows["deal"]["1"]["t_when"] == value


def test_an_unreadable_date_is_found_where_another_takes_its_place(case: Callable[..., MapCase]) -> None:
    mapped = deals(case, "overriddencreatedon: {from: 'coalesce(A, B)'}", {"A": "soon", "B": "2025-01-02"})
    assert mapped.rows["deal"]["1"]["overriddencreatedon"] == datetime(2025, 1, 2, tzinfo=UTC)
    assert mapped.findings == [("bad_date", "1", "loaded", "A")]


def test_a_long_text_is_cut_and_kept_whole_in_a_companion_column(case: Callable[..., MapCase]) -> None:
    mapped = deals(case, "name: {from: N}", {"N": "a" * 299 + "😀"}, {"N": "  short "})
    assert mapped.rows["deal"]["1"]["name"] == "a" * 299
    assert mapped.rows["deal"]["1"]["t_namefull"] == "a" * 299 + "😀"
    assert mapped.rows["deal"]["2"]["name"] == "short"
    assert mapped.rows["deal"]["2"]["t_namefull"] is None
    assert mapped.column("deal", "t_namefull").create["type"] == "Memo"
    assert mapped.findings == [("overlong", "1", "loaded", "N")]


def test_no_companion_column_is_made_when_everything_fits(case: Callable[..., MapCase]) -> None:
    mapped = deals(case, "name: {from: N}", {"N": "fits"})
    assert [column.name for column in mapped.route("deal").columns] == ["name"]


@pytest.mark.parametrize(("kind", "length"), [("String", 100), ("Memo", 1_048_576)])
def test_a_text_column_without_a_length_is_made_as_long_as_what_is_sent(
    case: Callable[..., MapCase], kind: str, length: int
) -> None:
    mapped = deals(case, f"t_text: {{from: T, create: {{type: {kind}, label: Text}}}}", {"T": "x" * 150_000})
    assert mapped.column("deal", "t_text").create == {"type": kind, "label": "Text", "length": length}
    assert len(mapped.rows["deal"]["1"]["t_text"]) == min(length, 150_000)


def test_where_no_column_can_be_made_the_finding_keeps_the_full_text(case: Callable[..., MapCase]) -> None:
    route = "routes: [{table: annotation, name: note, phase: rest, key: Id, columns: {subject: {from: S}}}]"
    made = case(objects={"Note": [{"Id": "1", "S": "a" * 501}]}, maps={"Note": route})
    mapped = made.run()
    assert [column.name for column in mapped.route("note").columns] == ["subject"]
    assert mapped.rows["note"]["1"]["subject"] == "a" * 500
    assert made.engine.one("SELECT what FROM findings_of_map")[0].endswith("the full text: " + "a" * 501)


def test_a_long_text_can_hold_the_record(case: Callable[..., MapCase]) -> None:
    mapped = deals(case, "name: {from: N, too_long: hold}", {"N": "a" * 301}, {"N": "fits"})
    assert list(mapped.rows["deal"]) == ["2"]
    assert mapped.findings == [("overlong", "1", "held", "N")]
    assert mapped.document.held == {"Deal": 1}


STAGE = (
    "t_stage: {from: S, choices: {Won: 1, Lost: 2}, create: {type: Picklist, label: S, options: [[1, W], [2, L]]}%s}"
)


@pytest.mark.parametrize(
    ("otherwise", "outcome", "rows"),
    [
        ("", "loaded", ["1", "2", "3"]),
        (", otherwise: hold", "held", ["1", "3"]),
        (", otherwise: 'decision:unknown'", "held", ["1", "3"]),
    ],
)
def test_a_value_outside_the_map_does_as_it_is_told(
    case: Callable[..., MapCase], otherwise: str, outcome: str, rows: list[str]
) -> None:
    mapped = deals(case, STAGE % otherwise, {"S": " WON"}, {"S": "Maybe"}, {"S": None}, decisions={"unknown": "hold"})
    assert sorted(mapped.rows["deal"]) == rows
    assert mapped.rows["deal"]["1"]["t_stage"] == 1
    assert mapped.findings == [("unknown_choice", "2", outcome, "S")]


def test_a_value_that_no_decision_names_is_told_with_the_decision_to_extend(case: Callable[..., MapCase]) -> None:
    columns = (STAGE % "").replace("from: S,", """from: "mapped('stages', S)",""")
    mapped = deals(case, columns, {"S": "W"}, {"S": "M"}, decisions={"stages": {"W": "Won"}})
    assert mapped.findings == [("unknown_choice", "2", "loaded", "S")]
    assert "under stages in decisions.yaml" in mapped.advice["unknown_choice"]
    plain = deals(case, STAGE % "", {"S": "M"})
    assert "under choices of t_stage in the map" in plain.advice["unknown_choice"]


def test_labels_of_options_are_found_without_a_list_of_choices(case: Callable[..., MapCase]) -> None:
    columns = "t_c: {from: S, create: {type: Picklist, label: S, options: [[7, In progress]]}}"
    assert deals(case, columns, {"S": "in_progress"}).rows["deal"]["1"]["t_c"] == 7


def test_several_choices_of_one_field_become_their_values_in_order(case: Callable[..., MapCase]) -> None:
    columns = "t_m: {from: S, create: {type: MultiSelectPicklist, label: S, options: [[3, a], [1, b]]}}"
    mapped = deals(case, columns, {"S": "a; b;a"}, {"S": "a;zzz"}, {"S": None})
    assert [row["t_m"] for row in mapped.rows["deal"].values()] == ["1,3", "3", None]
    assert mapped.findings == [("unknown_choice", "2", "loaded", "S")]


def test_the_owner_is_the_address_or_the_name_as_the_source_has_it(case: Callable[..., MapCase]) -> None:
    mapped = deals(case, "ownerid: {from: O}", {"O": " <Ana@X.com> "}, {"O": "Ana  B"}, {"O": None})
    assert [row["ownerid__email"] for row in mapped.rows["deal"].values()] == ["ana@x.com", "ana b", None]
    assert mapped.column("deal", "ownerid").kind == "owner"


def test_the_first_state_that_holds_counts(case: Callable[..., MapCase]) -> None:
    route = """routes:
  - {table: opportunity, name: deal, phase: rest, key: Id, columns: {name: {from: S}},
     states: [{when: "S = 'won'", action: win, status: 3, at: D, value: V}, {when: "S = 'off'", state: 2, status: 5}]}"""
    rows = [{"Id": str(n), "S": s, "D": "2025-01-02", "V": "5"} for n, s in enumerate(("won", "off", "open"), start=1)]
    found = case(objects={"Deal": rows}, maps={"Deal": route}).run().rows["deal"]
    assert [found[n]["_action"] for n in "123"] == ["win", "patch", None]
    assert [found[n]["_status"] for n in "123"] == [3, 5, None]
    assert found["1"]["_state_at"] == datetime(2025, 1, 2, 12, tzinfo=UTC), (
        "a day is its noon: midnight is another day elsewhere"
    )
    assert found["1"]["_state_value"] == Decimal("5.0000")


def test_a_required_column_without_a_value_holds_the_record_and_every_finding_says_so(
    case: Callable[..., MapCase],
) -> None:
    route = """routes:
  - {table: appointment, name: meeting, phase: rest, key: Id, required: [scheduledstart],
     columns: {scheduledstart: {from: D}}}"""
    mapped = case(
        objects={"Deal": [{"Id": "1", "D": "never"}, {"Id": "2", "D": "2025-01-01"}]}, maps={"Deal": route}
    ).run()
    assert list(mapped.rows["meeting"]) == ["2"]
    assert mapped.findings == [("bad_date", "1", "held", "D"), ("required_missing", "1", "held", "D")]
    assert mapped.document.held == {"Deal": 1}


def test_a_turkish_capital_is_the_same_option(case: Callable[..., MapCase]) -> None:
    create = "create: {type: Picklist, label: Stage, options: [[1, İptal], [2, IŞIK]]}"
    mapped = deals(case, f"t_stage: {{from: S, {create}}}", {"S": "İptal"}, {"S": "iptal"}, {"S": "IŞIK"}, live={})
    assert [row["t_stage"] for row in mapped.rows["deal"].values()] == [1, 1, 2]
    assert not mapped.findings
