"""A table's rows have only the columns that some row was given; whoever reads sees them all."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.catalogue.types import Column
from flitstack.emulator.core import Environment

WORDS = st.dictionaries(
    st.sampled_from(["firstname", "jobtitle", "department", "suffix", "nickname", "assistantname"]),
    st.sampled_from(["a", "b", None]),
)


def stored(driver: Driver, table: str) -> set[str]:
    return set(driver.environment._store.present(driver.environment.tables[table]))


def test_a_column_appears_when_a_row_is_given_it(driver: Driver) -> None:
    first = driver.create("contacts", lastname="A")
    assert "nickname" not in stored(driver, "contact")
    driver.create("contacts", lastname="B", nickname="bee")
    assert "nickname" in stored(driver, "contact")
    assert driver.get(f"contacts({first})", select="lastname,nickname")["nickname"] is None
    assert [row["lastname"] for row in driver.rows("contacts", filter="nickname eq null")] == ["A"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_rows_hold_what_they_were_given_whatever_came_before(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Mapping[str, str], Mapping[str, str]]]
) -> None:
    driver = Driver(Environment.open(tmp_path_factory.mktemp("rows")))
    expected = {}
    for made, changed in rows:
        id_ = driver.create("contacts", lastname="L", **made)
        if changed:
            driver.patch(f"contacts({id_})", **changed)
        expected[id_] = {**made, **changed}
    names = ["firstname", "jobtitle", "department", "suffix", "nickname", "assistantname"]
    for id_, values in expected.items():
        found = driver.get(f"contacts({id_})", select=",".join(names))
        assert {name: found[name] for name in names} == {name: values.get(name) for name in names}
    driver.environment.close()


def test_a_new_default_leaves_earlier_rows_alone(driver: Driver) -> None:
    def put(default: bool) -> None:
        column = Column("new_vip", "new_Vip", "Boolean", creatable=True, updatable=True, default=default)
        driver.environment.put_column("contact", column)

    put(False)
    driver.create("contacts", lastname="A")
    put(True)
    driver.create("contacts", lastname="B")
    assert [row["new_vip"] for row in driver.rows("contacts", orderby="lastname")] == [False, True]


def test_a_refused_request_takes_its_columns_back(driver: Driver) -> None:
    contact = driver.create("contacts", lastname="A")

    def change_and_fail() -> None:
        with driver.environment.transaction():
            driver.patch(f"contacts({contact})", nickname="n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    assert "nickname" not in stored(driver, "contact")
    driver.patch(f"contacts({contact})", nickname="m")
    assert driver.get(f"contacts({contact})", select="nickname")["nickname"] == "m"


def test_a_second_process_sees_the_columns_of_the_first(tmp_path: Path) -> None:
    one, other = (Driver(Environment.open(tmp_path)) for _ in range(2))
    id_ = one.create("contacts", lastname="A")
    assert other.get(f"contacts({id_})", select="lastname,nickname")["nickname"] is None
    one.patch(f"contacts({id_})", nickname="n")
    other.environment.refresh()
    other.patch(f"contacts({id_})", suffix="s", nickname="o")
    one.environment.refresh()
    found = one.get(f"contacts({id_})", select="nickname,suffix")
    assert (found["nickname"], found["suffix"]) == ("o", "s")
    for driver in (one, other):
        driver.environment.close()


def test_a_directory_of_another_format_is_refused(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path)
    environment.connection.execute("PRAGMA user_version = 1")
    environment.close()
    with pytest.raises(ValueError, match="another version"):
        Environment.open(tmp_path)
