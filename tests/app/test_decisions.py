"""Decisions written by hand: each option is one that can be followed, or is told with line and remedy."""

from dataclasses import replace
from pathlib import Path

import pytest

from flitstack.app.decisions import read_decided, read_option
from flitstack.errors import UsageError
from flitstack.packs.read import load_pack

KLIPY = load_pack("klipy")
REFUSED = replace(KLIPY.decisions["attachments"], not_built={"sharepoint": "choose annotation"})
PACK = replace(KLIPY, decisions={**KLIPY.decisions, "attachments": REFUSED})


def decided(tmp_path: Path, text: str) -> dict[str, object]:
    path = tmp_path / "decisions.yaml"
    path.write_text(f"format: 1\ndecisions:\n{text}")
    return {name: entry["option"] for name, entry in read_decided(path, PACK).items()}


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(UsageError) as error:
        decided(tmp_path, text)
    assert all(problem.do for problem in error.value.problems)
    return [f"{problem.where} {problem.code}: {problem.what}" for problem in error.value.problems]


def test_every_option_of_every_decision_is_taken_or_says_what_to_do_instead() -> None:
    for decision in PACK.decisions.values():
        for option in decision.options:
            taken, problem = read_option(decision, option)
            assert (taken, problem) == (option, None) or (problem is not None and problem.do)
        if not decision.options:
            assert read_option(decision, decision.default) == (decision.default, None)


def test_options_are_kept_as_the_pack_spells_them(tmp_path: Path) -> None:
    text = (
        "  tag_strategy:\n    option: auto (text below 50)\n  timezone:\n    option: Europe/Kyiv\n"
        "  attachment_limit_kb:\n    option: '256'\n  free_mail_domains:\n    option: []\n  own:\n    option: {kept: as it is}\n"
    )
    assert decided(tmp_path, text) == {
        "tag_strategy": "auto", "timezone": "Europe/Kyiv", "attachment_limit_kb": 256.0, "free_mail_domains": [],
        "own": {"kept": "as it is"},
    }  # fmt: skip


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        "  call_table: task\n"
        "  date_order:\n    by: ana\n    option: DYM\n"
        "  timezone:\n    option: Mars/Olympus\n"
        "  attachment_limit_kb:\n    option: -1\n"
        "  free_mail_domains:\n    option: gmail.com\n"
        "  attachments:\n    option: sharepoint\n"
    )
    assert problems(tmp_path, text) == [
        "decisions.yaml:3 decision-form: decision call_table says no option",
        "decisions.yaml:6 option-unknown: 'DYM' is not an option of decision date_order",
        "decisions.yaml:8 option-unknown: 'Mars/Olympus' is no answer to decision timezone",
        "decisions.yaml:10 option-unknown: -1 is no answer to decision attachment_limit_kb",
        "decisions.yaml:12 option-unknown: 'gmail.com' is no answer to decision free_mail_domains",
        "decisions.yaml:14 option-not-built: 'sharepoint' of decision attachments is not built yet",
    ]


def test_decisions_that_are_a_list_are_told_as_such(tmp_path: Path) -> None:
    assert problems(tmp_path, "  - call_table\n") == [
        "decisions.yaml:2 decision-form: decisions must be a mapping",
    ]
