"""A plan is executed: everything lands once, bad rows come out, running again does only what is missing."""

from pathlib import Path

from loading.loading_case import LOST, ROWS, WON, make_case, row



def test_every_row_lookup_link_state_party_and_file_lands(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    document = case.load()
    stored = case.memory.stored
    assert {name: len(stored[name]) for name in ROWS} == ROWS
    assert stored["account"][row("account", 5)]["parentaccountid"] == ("account", row("account", 4))
    assert stored["contact"][row("contact", 33)]["parentcustomerid"] == ("account", row("account", 3))
    assert [stored["opportunity"][row("opportunity", n)]["statuscode"] for n in range(3)] == [WON, LOST, 1]
    assert len(stored["opportunityclose"]) == 8
    assert len(stored["email"][row("email", 2)]["_parties"]) == 2
    assert stored["annotation"][row("annotation", 1)]["filesize"] == 9
    assert len(case.memory.links["contactleads_association"]) == 16 + 2 * 17 - 1
    assert document.refused == 0
    assert all(count.closes for count in document.counts)
    assert {count.table for count in document.counts} == set(ROWS)
