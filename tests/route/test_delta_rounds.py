"""Five rounds with edits on both sides: no source change is lost, no edit made in Dynamics is overwritten without a decision."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from route.rounds_case import Source, decide, take_round
from route.route_case import EXAMPLE, Migration, begin, record_of, serving

pytestmark = pytest.mark.slow


@dataclass
class Rounds:
    """The migration after its rounds, with what was seen on the way."""

    migration: Migration
    plans: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)

    def contact(self, record: str) -> dict[str, Any]:
        """The contact that a record became."""
        return next(row for row in self.migration.rows("contacts") if record_of(row) == record)

    def deal(self, record: str) -> dict[str, Any]:
        """The opportunity that a record became."""
        return next(row for row in self.migration.rows("opportunities") if record_of(row) == record)

    def edit(self, record: str, **values: str) -> None:
        """Edit a contact in Dynamics."""
        self.migration.patch(f"contacts({self.contact(record)['contactid']})", values)


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    folder = tmp_path_factory.mktemp("rounds")
    source = Source.example(folder / "later")
    with serving(folder / "emulator") as url:
        this = Rounds(begin(folder / "acme", url, EXAMPLE))
        this.before = this.migration.admin("fingerprint")
        this.migration.do("run", "--rehearse", code={0, 3})
        _both_sides(this, source)
        _source_wins(this, source)
        _held(this, source)
        _carried(this, source)
        _absent(this, source)
        yield this


def _both_sides(this: Rounds, source: Source) -> None:
    this.edit("p05", jobtitle="Edited in Dynamics")
    this.edit("p07", jobtitle="Edited on both sides")
    source.change("contacts", "p07", Title="Changed in the source", Phone="+44 20 7946 1111")
    source.change(
        "contacts",
        "p90",
        First_Name="Nina",
        Last_Name="Neu",
        Email="nina@neu.example",
        Owner_Email="ana@northbeam.example",
    )
    source.change("deals", "d02", Stage="Closed Won")
    source.change("deals", "d01", Stage="Negotiation")
    this.plans.append(take_round(this.migration, source.partial()))
    this.seen["after both sides"] = this.contact("p07")
    this.seen["won"], this.seen["reopened"] = this.deal("d02"), this.deal("d01")
    this.seen["findings"] = this.migration.do("findings", "--step", "delta-1")
    this.seen["reconciled"] = [this.migration.do("reconcile", code={0, 3})["differences"]]


def _source_wins(this: Rounds, source: Source) -> None:
    decide(this.migration, delta={"contact.jobtitle": "source_wins"})
    source.change("contacts", "p07", Title="The source decides")
    source.change("deals", "d02", Stage="Closed Lost")
    this.migration.delete(f"contacts({this.contact('p90')['contactid']})")
    source.change("contacts", "p90", Phone="+49 30 99")
    this.plans.append(take_round(this.migration, source.partial()))
    this.seen["decided"] = this.contact("p07")
    this.seen["lost"] = this.deal("d02")
    this.seen["gone"] = this.migration.do("findings", "--code", "deleted_in_dynamics")
    this.seen["reconciled"].append(this.migration.do("reconcile", code={0, 3})["differences"])


def _held(this: Rounds, source: Source) -> None:
    source.change("deals", "d90", Deal_Name="Late deal", Value="10", Currency="EUR", Stage="Negotiation",
                  Contact_Email="late@comer.example", Owner_Email="ana@northbeam.example")  # fmt: skip
    this.plans.append(take_round(this.migration, source.partial()))


def _carried(this: Rounds, source: Source) -> None:
    source.change(
        "contacts",
        "p91",
        First_Name="Late",
        Last_Name="Comer",
        Email="late@comer.example",
        Owner_Email="ana@northbeam.example",
    )
    this.plans.append(take_round(this.migration, source.partial()))
    this.seen["accounts"] = this.migration.do("status")["accounts"]


def _absent(this: Rounds, source: Source) -> None:
    decide(this.migration, delta_absent={"contact": "deactivate"})
    del source.records["contacts"]["p91"]
    this.plans.append(take_round(this.migration, source.full(), "--full"))
    this.seen["reconciled"].append(this.migration.do("reconcile", code={0, 3})["differences"])


def test_only_what_the_source_changed_is_sent(rounds: Rounds) -> None:
    contact = rounds.plans[0]["tables"]["contact"]
    assert (contact["created"], contact["updated"], contact["conflicts"], contact["edited"]) == (1, 1, 1, 1)


def test_an_edit_made_in_dynamics_survives_and_is_listed(rounds: Rounds) -> None:
    assert rounds.contact("p05")["jobtitle"] == "Edited in Dynamics"
    assert rounds.seen["after both sides"]["jobtitle"] == "Edited on both sides"
    assert rounds.seen["after both sides"]["telephone1"].endswith("1111")
    codes = {(f["code"], f["record"], f["field"]) for f in rounds.seen["findings"]}
    assert ("edit_conflict", "p07", "Title") in codes
    assert ("edited_in_dynamics", "p05", "Title") in codes


def test_a_recorded_decision_lets_the_source_win(rounds: Rounds) -> None:
    assert rounds.seen["decided"]["jobtitle"] == "The source decides"


def test_deals_are_won_reopened_and_lost_after_all(rounds: Rounds) -> None:
    assert (
        rounds.seen["won"]["statecode"],
        rounds.seen["reopened"]["statecode"],
        rounds.seen["lost"]["statecode"],
    ) == (1, 0, 2)


def test_a_row_deleted_in_dynamics_is_listed_and_not_made_again(rounds: Rounds) -> None:
    assert [f["record"] for f in rounds.seen["gone"]] == ["p90"]
    assert not [row for row in rounds.migration.rows("contacts") if record_of(row) == "p90"]


def test_a_held_record_is_carried_and_loads_once_its_parent_comes(rounds: Rounds) -> None:
    assert rounds.plans[2]["accounts"]["Deal"]["held"] == 1
    assert rounds.plans[3]["accounts"]["Deal"]["carried"] == 1
    assert rounds.deal("d90")["name"] == "Late deal"
    assert all(account["closes"] for account in rounds.seen["accounts"].values()), rounds.seen["accounts"]


def test_a_record_absent_from_a_full_export_is_closed_by_decision(rounds: Rounds) -> None:
    assert rounds.plans[4]["tables"]["contact"]["closed"] == 1
    assert rounds.contact("p91")["statecode"] == 1
    assert [
        f["record"] for f in rounds.migration.do("findings", "--code", "absent_in_source") if f["object"] == "Contact"
    ] == ["p91"]


def test_after_each_round_nothing_differs_but_what_is_recorded(rounds: Rounds) -> None:
    assert rounds.seen["reconciled"] == [0, 0, 0]


def test_rollback_keeps_what_was_edited_and_takes_back_the_rest(rounds: Rounds) -> None:
    kept = {row["record"] for row in rounds.migration.do("rollback", "--dry-run")["kept_rows"]}
    assert "p05" in kept
    undone = rounds.migration.do("rollback", "--force")
    assert (undone["kept"], undone["failed"], undone["equal"]) == (0, 0, True)
