"""Finding records that are rows already, against plain Python: the surest rule decides, whatever is ambiguous matches nobody."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flitstack.mapping.document import MappedColumn, MappedRoute
from flitstack.planning.matching import Matching, Rule, match_rows, matched_keys
from flitstack.staging.engine.engine import Engine

COLUMNS = ("emailaddress1", "fullname")
VALUES = st.sampled_from([None, "a", "b", "c"])
PAIRS = st.lists(st.tuples(VALUES, VALUES), max_size=6)
Known = Sequence[tuple[str | None, str | None]]


def route(name: str) -> MappedRoute:
    columns = tuple(MappedColumn(column, "value", "String", column, column) for column in COLUMNS)
    return MappedRoute(
        "Contact", name, "contact", "p", True, f"{name}.parquet", 1, columns, False, False, False, False, ()
    )


def write_records(folder: Path, records: Known) -> None:
    numbers = range(len(records))
    table = {
        "_digest": [f"d{n}" for n in numbers], "_object": ["Contact" for _ in numbers], "_key": [f"k{n}" for n in numbers],
        "_file": ["c.csv" for _ in numbers], "_record": [f"r{n}" for n in numbers], "_line": pa.array(numbers, pa.int64()),
        "emailaddress1": pa.array([e for e, _ in records], pa.string()),
        "fullname": pa.array([n for _, n in records], pa.string()),
    }  # fmt: skip
    pq.write_table(pa.table(table), folder / "contact.parquet")


def write_rows(engine: Engine, folder: Path, rows: Known, place: int) -> Path:
    target = folder / f"rows{place}.parquet"
    listed = [(values[place], uuid.UUID(int=number + 1)) for number, values in enumerate(rows)]
    parts = [f"('{key}', '{row}')" for key, row in listed if key is not None]
    source = f"(VALUES {', '.join(parts)}) t(key, id)" if parts else "(SELECT '' AS key, '' AS id) WHERE FALSE"
    engine.write_parquet(f'SELECT key::VARCHAR AS "key", CAST(id AS UUID) AS "row" FROM {source}', target)
    return target


def expected(records: Known, rows: Known) -> dict[str, uuid.UUID]:
    best: dict[str, set[int]] = {}
    for number, record in enumerate(records):
        for place in range(2):
            fits = {n for n, row in enumerate(rows) if record[place] is not None and row[place] == record[place]}
            if fits:
                best[f"d{number}"] = fits
                break
    claims = [row for fits in best.values() for row in fits]
    return {
        digest: uuid.UUID(int=row + 1)
        for digest, fits in best.items()
        for row in fits
        if len(fits) == 1 and claims.count(row) == 1
    }


def found_by(engine: Engine, path: Path) -> Mapping[str, uuid.UUID]:
    return {
        d: uuid.UUID(r) for d, r in engine.rows(f"SELECT digest, CAST(\"row\" AS VARCHAR) FROM read_parquet('{path}')")
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=PAIRS, rows=PAIRS)
def test_the_surest_rule_finds_the_one_row_and_ambiguity_finds_none(
    module_engine: Engine, tmp_path: Path, records: Known, rows: Known
) -> None:
    write_records(tmp_path, records)
    rules = [
        Rule(column, f'"{column}"', (column,), write_rows(module_engine, tmp_path, rows, place))
        for place, column in enumerate(COLUMNS)
    ]
    work = Matching("x", tmp_path, {"contact": rules}, {}, {}, {"contact": "SELECT ''"})
    found = match_rows(module_engine, [route("contact")], work, tmp_path / "matched")
    assert (found_by(module_engine, found["contact"]) if found else {}) == expected(records, rows)


def test_a_record_kept_apart_one_whose_row_we_made_and_one_settled_before(
    module_engine: Engine, tmp_path: Path
) -> None:
    people = [("a", None), ("b", None), ("c", None), ("d", None)]
    write_records(tmp_path, people)
    rule = Rule("emailaddress1", "emailaddress1", ("emailaddress1",), write_rows(module_engine, tmp_path, people, 0))
    earlier = tmp_path / "earlier.parquet"
    # What an earlier load took for a row stays that row, although the key says another by now.
    module_engine.write_parquet(
        f"""SELECT CAST('{uuid.UUID(int=99)}' AS UUID) AS "row", 'd2' AS digest, 'x/Contact/k2' AS plain, 'Contact' AS object,
        'c.csv' AS file, 'r2' AS record, 2::BIGINT AS line, 'old' AS rule""",
        earlier,
    )
    work = Matching(
        "x", tmp_path, {"contact": [rule]}, {"contact": earlier}, {"contact": f"SELECT \"row\" FROM read_parquet('{earlier}')"},
        {"contact": "SELECT 'd1'"}, [("Contact", "r0")],
    )  # fmt: skip
    found = match_rows(module_engine, [route("contact")], work, tmp_path / "matched")["contact"]
    assert found_by(module_engine, found) == {"d2": uuid.UUID(int=99), "d3": uuid.UUID(int=4)}


def test_a_record_that_matches_no_more_loses_the_row_and_others_keep_their_ids(
    module_engine: Engine, tmp_path: Path
) -> None:
    def keys(name: str, *rows: tuple[str, int]) -> Path:
        path = tmp_path / f"{name}.parquet"
        values = ", ".join(f"('{d}', 'p', 'Contact', CAST('{uuid.UUID(int=n)}' AS UUID))" for d, n in rows)
        module_engine.write_parquet(f'SELECT * FROM (VALUES {values}) t(digest, plain, object, "row")', path)
        return path

    target = tmp_path / "keys.parquet"
    known = keys("known", ("made", 1), ("was", 50), ("will", 3))
    assert matched_keys(module_engine, known, keys("earlier", ("was", 50)), keys("now", ("will", 51)), target)
    assert found_by(module_engine, target) == {"made": uuid.UUID(int=1), "will": uuid.UUID(int=51)}


def test_a_row_is_known_by_the_rows_it_points_to_and_what_points_to_a_new_one_is_nobody(
    module_engine: Engine, tmp_path: Path
) -> None:
    """Prices of three price lists: one that is there, one found in this very round, one yet to be made."""
    there, met, unit = (uuid.UUID(int=n) for n in (50, 51, 60))
    module_engine.write_parquet(
        f"""SELECT 'd' || n AS _digest, 'Price' AS _object, 'k' || n AS _key, 'p.csv' AS _file, 'r' || n AS _record,
            n::BIGINT AS _line, list AS pricelevelid, 'pricelevel' AS pricelevelid__table, list = '{there}' AS pricelevelid__live,
            '{unit}' AS uomid, 'uom' AS uomid__table, TRUE AS uomid__live
        FROM (VALUES (0, '{there}'), (1, 'met'), (2, 'new'), (3, 'apart'), (4, NULL)) t(n, list)""",
        tmp_path / "price.parquet",
    )
    items = tmp_path / "items.parquet"
    values = ", ".join(f"('{there if n == 1 else met} {unit}', CAST('{uuid.UUID(int=n)}' AS UUID))" for n in (1, 2))
    module_engine.write_parquet(f'SELECT * FROM (VALUES {values}) t("key", "row")', items)
    lists = tmp_path / "lists.parquet"  # the key map, in which a record that is kept apart now still has that row
    module_engine.write_parquet(
        f"""SELECT 'apart' AS digest, 'p' AS plain, 'List' AS object, CAST('{there}' AS UUID) AS "row" """, lists
    )
    earlier = tmp_path / "earlier.parquet"
    none = "NULL::BIGINT AS line, '' AS rule"
    pair = "SELECT CAST('{}' AS UUID) AS \"row\", '{}' AS digest, 'p' AS plain, 'List' AS object, '' AS file, '' AS record, "
    module_engine.write_parquet(pair.format(there, "apart") + none, earlier)
    found_lists = tmp_path / "found.parquet"
    module_engine.write_parquet(f"SELECT 'a' AS \"key\", CAST('{met}' AS UUID) AS \"row\"", found_lists)
    module_engine.write_parquet(
        """SELECT 'met' AS _digest, 'List' AS _object, 'k' AS _key, 'l.csv' AS _file, 'l' AS _record, 1::BIGINT AS _line,
        'a' AS name""",
        tmp_path / "list.parquet",
    )
    columns = tuple(
        MappedColumn(name, "lookup", "Lookup", name, name, targets=(table,))
        for name, table in (("pricelevelid", "pricelevel"), ("uomid", "uom"))
    )
    bare = route("price")
    routes = [
        replace(bare, name="price", table="productpricelevel", parquet="price.parquet", columns=columns),
        replace(bare, name="list", table="pricelevel", parquet="list.parquet", columns=(MappedColumn("name", "value", "String", "n", "n"),)),
    ]  # fmt: skip
    rules = {
        "pricelevel": [Rule("name", "name", ("name",), found_lists)],
        "productpricelevel": [Rule("both", "pricelevelid || ' ' || uomid", ("pricelevelid", "uomid"), items)],
    }
    nobody = dict.fromkeys(rules, "SELECT ''")
    work = Matching(
        "x", tmp_path, rules, {"pricelevel": earlier}, {"pricelevel": 'SELECT NULL::UUID AS "row" WHERE FALSE'}, nobody,
        keys={"pricelevel": lists},
    )  # fmt: skip
    found = match_rows(module_engine, routes, work, tmp_path / "matched")
    assert found_by(module_engine, found["productpricelevel"]) == {"d0": uuid.UUID(int=1), "d1": uuid.UUID(int=2)}
