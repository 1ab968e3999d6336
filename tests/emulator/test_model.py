"""Random histories against a dictionary: the emulator holds what a simple model says, also after reopening."""

from pathlib import Path
from tempfile import TemporaryDirectory

from core_driver import Driver
from hypothesis import given, settings
from hypothesis import strategies as st

from flitstack.emulator.core import Environment, Refusal

IDS = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(1, 5)]
TOO_LONG = "x" * 161
ids = st.sampled_from(IDS)
names = st.sampled_from(["a", "B", "ß", TOO_LONG])
steps = st.one_of(
    st.tuples(st.just("create"), ids, names),
    st.tuples(st.just("update"), ids, names),
    st.tuples(st.just("upsert"), ids, names),
    st.tuples(st.just("delete"), ids, st.just("")),
    st.tuples(st.just("reopen"), st.just(""), st.just("")),
    st.tuples(st.just("create all"), st.lists(ids, min_size=1, max_size=3), names),
    st.tuples(st.just("update all"), st.lists(ids, min_size=1, max_size=3), names),
    st.tuples(st.just("change set"), st.lists(ids, min_size=1, max_size=3), names),
)


def send(driver: Driver, verb: str, target: str | list[str], name: str) -> None:
    """Do one step; raises Refusal."""
    match verb, target:
        case "create", str():
            driver.create("accounts", accountid=target, name=name)
        case "update", str():
            driver.send("PATCH", f"accounts({target})", {"name": name}, headers={"if-match": "*"})
        case "upsert", str():
            driver.patch(f"accounts({target})", name=name)
        case "delete", str():
            driver.delete(f"accounts({target})")
        case "change set", list():
            with driver.environment.transaction():
                for one in target:
                    driver.create("accounts", accountid=one, name=name)
        case (("create all" | "update all"), list()):
            message = "CreateMultiple" if verb == "create all" else "UpdateMultiple"
            driver.multiple(message, "accounts", "account", [{"accountid": one, "name": name} for one in target])


def expect(rows: dict[str, str], verb: str, target: str | list[str], name: str) -> dict[str, str] | None:
    """The rows after a step, None when it must be refused."""
    many = [target] if isinstance(target, str) else target
    is_create = verb in {"create", "create all", "change set"}
    if name == TOO_LONG or (is_create and (len(set(many)) < len(many) or any(one in rows for one in many))):
        return None
    if verb in {"update", "update all", "delete"} and any(one not in rows for one in many):
        return None
    if verb == "delete":
        return {id_: value for id_, value in rows.items() if id_ not in many}
    return rows | dict.fromkeys(many, name)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=12))
def test_any_history_ends_as_the_model_says(history: list[tuple[str, str | list[str], str]]) -> None:
    with TemporaryDirectory() as directory:
        driver = Driver(Environment.open(Path(directory)))
        rows: dict[str, str] = {}
        for verb, target, name in history:
            if verb == "reopen":
                driver.environment.close()
                driver = Driver(Environment.open(Path(directory)))
                continue
            expected = expect(rows, verb, target, name)
            try:
                send(driver, verb, target, name)
                was_refused = False
            except Refusal:
                was_refused = True
            assert was_refused == (expected is None)
            rows = rows if expected is None else expected
            found = driver.rows("accounts", select="name")
            assert {row["accountid"]: row["name"] for row in found} == rows
        driver.environment.close()
