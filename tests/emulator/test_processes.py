"""Several processes on one data directory: the first open, row versions, definitions and tables made on first use."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from core_driver import Driver

from flitstack.catalogue.types import Column, Key
from flitstack.emulator.core import Environment, Refusal

_HERE = str(Path(__file__).parent)
# Forks processes that begin at the same moment, prints their exit codes.
_TOGETHER = """
import multiprocessing, sys
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from core_driver import Driver
from flitstack.emulator.core import Environment
from flitstack.emulator.auth import Doorkeeper
from flitstack.catalogue.read import load_catalogue

def work(directory, barrier, worker):
    barrier.wait()
    environment = Environment.open(directory)
    Doorkeeper(environment, lambda: datetime.now(UTC), is_open=False)
    driver = Driver(environment)
    for number in range(int(sys.argv[4])):
        driver.multiple("CreateMultiple", "accounts", "account", [{"name": f"{worker}-{number}-{i}"} for i in range(9)])
        driver.create("accounts", name=f"{worker}-{number}-9")
    environment.close()

load_catalogue()  # once, before they part
context = multiprocessing.get_context("fork")
for trial in range(int(sys.argv[3])):
    directory, barrier = Path(sys.argv[1]) / str(trial), context.Barrier(8)
    workers = [context.Process(target=work, args=(directory, barrier, n)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(*(worker.exitcode for worker in workers))
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="several processes need a POSIX system")


def together(directory: Path, trials: int, requests: int) -> None:
    """8 processes at once, each trial on a directory of its own; each makes 10 accounts a `requests`."""
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _TOGETHER, str(directory), _HERE, str(trials), str(requests)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
        check=True,
    )
    assert done.stdout.splitlines() == ["0 0 0 0 0 0 0 0"] * trials, done.stderr


@pytest.mark.parametrize("trials", [5, pytest.param(15, marks=pytest.mark.slow)])
def test_a_new_directory_opened_by_eight_processes_at_once_is_made_once(tmp_path: Path, trials: int) -> None:
    together(tmp_path, trials, 0)
    for trial in range(trials):
        environment = Environment.open(tmp_path / str(trial))
        assert environment.connection.execute("SELECT count(*) FROM organization").fetchone() == (1,)
        assert environment.connection.execute("SELECT count(*) FROM role").fetchone() == (2,)
        environment.close()


def test_eight_writers_lose_no_row_and_share_no_version(tmp_path: Path) -> None:
    together(tmp_path, 1, 20)
    environment = Environment.open(tmp_path / "0")
    counts = "SELECT count(*), count(DISTINCT name), count(DISTINCT versionnumber) FROM account"
    assert environment.connection.execute(counts).fetchone() == (1600, 1600, 1600)
    environment.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Driver, Driver]]:
    """Two environments on one directory, as two processes have them."""
    one, other = Environment.open(tmp_path), Environment.open(tmp_path)
    yield Driver(one), Driver(other)
    one.close()
    other.close()


def turn_over(driver: Driver) -> Driver:
    """What the server does before each request."""
    driver.environment.refresh()
    return driver


def test_versions_rise_across_processes(pair: tuple[Driver, Driver]) -> None:
    rows = [turn_over(pair[n % 2]).create("accounts", name=str(n)) for n in range(6)]
    etags = [int(pair[0].get(f"accounts({row})", select="name")["@odata.etag"][3:-1]) for row in rows]
    assert etags == sorted(set(etags))


def test_a_table_made_by_one_process_is_used_by_the_other(pair: tuple[Driver, Driver]) -> None:
    account = pair[0].create("accounts", name="a")
    bound = {"parentcustomerid_account__bind": f"/accounts({account})"}
    contact = turn_over(pair[1]).create("contacts", lastname="c", **bound)
    # The first process never touched contacts, yet deleting the account must reach them.
    turn_over(pair[0]).delete(f"accounts({account})")
    found = turn_over(pair[1]).rows("contacts", select="lastname,_parentcustomerid_value")
    assert [row["contactid"] for row in found] in ([], [contact])
    assert all(row["_parentcustomerid_value"] is None for row in found)


def test_definitions_of_one_process_hold_in_the_other(pair: tuple[Driver, Driver]) -> None:
    one, other = pair
    other.create("accounts", name="before")
    column = Column("new_code", "new_Code", "String", creatable=True, updatable=True, max_length=5)
    one.environment.put_column("account", column)
    rows: list[dict[str, object]] = [{"name": "a", "new_code": "1"}, {"name": "b", "new_code": "2"}]
    turn_over(other).multiple("CreateMultiple", "accounts", "account", rows)
    one.environment.put_key("account", Key("code", ("new_code",)))
    turn_over(other).patch("accounts(new_code='1')", name="found by key")
    with pytest.raises(Refusal, match="0x80060892"):
        other.create("accounts", name="c", new_code="2")
    turn_over(one).environment.drop_key("account", "code")
    one.environment.drop_column("account", "new_code")
    with pytest.raises(Refusal, match="Invalid property 'new_code'"):
        turn_over(other).create("accounts", name="d", new_code="3")
    assert len(other.rows("accounts")) == 3


def test_definitions_that_change_between_reading_a_request_and_its_turn_count(pair: tuple[Driver, Driver]) -> None:
    """A request that was read by old definitions is read again once it may write."""
    one, other = pair
    rows: list[dict[str, object]] = [{"name": "a", "new_code": "1"}, {"name": "b"}]
    with pytest.raises(Refusal, match="Invalid property"):
        other.multiple("CreateMultiple", "accounts", "account", rows)
    short, long = (
        Column("new_code", "new_Code", "String", creatable=True, updatable=True, max_length=length) for length in (5, 9)
    )
    one.environment.put_column("account", long)
    turn_over(other).multiple("CreateMultiple", "accounts", "account", rows)
    one.environment.put_column("account", short)
    # Nobody told the other process before its request: it learns with its turn.
    with pytest.raises(Refusal, match="0x80044331"):
        other.multiple("CreateMultiple", "accounts", "account", [{"name": "c", "new_code": "123456"}, {"name": "d"}])
    assert len(other.rows("accounts")) == 2
