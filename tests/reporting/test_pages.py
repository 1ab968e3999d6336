"""The HTML documents: what they say, that they stand alone, that no value of the export becomes markup."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reporting.report_case import migration, proof, quality

from flitstack.reconciling.document import Account
from flitstack.reporting.page import _share
from flitstack.reporting.quality import write_quality
from flitstack.reporting.reconciliation import verdict, write_reconciliation

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Outline(HTMLParser):
    """Text of a page by line, what it would load, and whether its tags match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [f"{tag} {name}={value}" for name, value in attrs if name in {"src", "srcset", "data", "onclick"}]
        self.loads += [
            f"{tag} {value}" for name, value in attrs if name == "href" and not (value or "").startswith("#")
        ]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] not in {"style", "title"}:
            self.text.append(" ".join(data.split()))


@pytest.mark.parametrize("name", ["quality", "reconciliation"])
def test_a_page_stands_alone_and_is_well_formed(tmp_path: Path, name: str) -> None:
    path, _ = (
        write_quality(quality(), tmp_path)
        if name == "quality"
        else write_reconciliation(migration(rollback=proof()), tmp_path)
    )
    page = path.read_text(encoding="utf-8")
    outline = Outline(page)
    assert outline.open == []
    assert outline.loads == []
    assert not re.search(r"@import|url\(|<script", page)


def test_values_of_the_export_never_become_markup(tmp_path: Path) -> None:
    page = write_reconciliation(migration(), tmp_path)[0].read_text(encoding="utf-8")
    assert "acme &amp; &lt;sons&gt;" in page
    assert "no &lt;b&gt;host&lt;/b&gt;" in page


def test_the_quality_report_says_what_waits_for_a_person(tmp_path: Path) -> None:
    text = Outline(write_quality(quality(), tmp_path)[0].read_text(encoding="utf-8")).text
    end = text.index("When these are settled:")
    points = text[text.index("Open points", text.index("Open points") + 1) + 1 : end]
    assert points == [
        "Records held back: 7. Findings says what each of them needs.",
        "Files that match no object of the source: stray.csv.",
        "Contacts: columns the source pack does not know: Score.",
        "Contacts: fields that no file has: Phone.",
        "Contacts, Email: 1 value cannot be read as email (aaa@a).",
        "To sign in reports/merges.xlsx: merges: 1, pairs that only look alike: 1.",
    ]


@pytest.mark.parametrize(
    ("account", "differences", "tone", "title"),
    [
        (Account(10, 9, 0, 1, 0, 0, 0, 0), 0, "good", "Every record is accounted for and every cell is equal"),
        (Account(10, 8, 0, 1, 0, 1, 0, 0), 0, "partly", "Everything loaded is equal; some records wait"),
        (Account(10, 9, 0, 1, 0, 0, 0, 0), 2, "bad", "2 differences"),
        (Account(10, 8, 0, 1, 0, 0, 0, 0), 0, "bad", "Not every record is accounted for"),
        (Account(10, 9, 0, 0, 0, 0, 0, 0, missing=1), 0, "bad", "Not every record is accounted for"),
    ],
)
def test_the_verdict_says_no_more_than_the_counts_prove(
    account: Account, differences: int, tone: str, title: str
) -> None:
    said = verdict(migration(account, differences))
    assert (said.tone, said.title) == (tone, title)


def test_the_proof_of_a_rollback_names_the_table_that_differs(tmp_path: Path) -> None:
    page = write_reconciliation(migration(rollback=proof(changed=1)), tmp_path)[0].read_text(encoding="utf-8")
    assert "The destination is not as it was before the load" in page
    assert Outline(page).text[-1].startswith("Values of personal fields are shown as shapes")


def test_a_share_is_whole_only_when_it_is() -> None:
    assert [_share(a, b) for a, b in ((1, 1), (0, 5), (99_999, 100_000), (1, 100_000), (995, 1000), (1, 3), (0, 0))] == [
        "100 %", "0 %", "> 99.9 %", "< 0.1 %", "99.5 %", "33 %", "–",
    ]  # fmt: skip


def test_writing_a_report_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_quality(quality(), tmp_path / "a")[0].read_bytes()
    assert write_quality(quality(), tmp_path / "b")[0].read_bytes() == first
