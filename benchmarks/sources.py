"""The whole route of every source at a multiple of its pack's example: time, rows a second and memory of each step.

    python benchmarks/sources.py --times 100 [--packs klipy clinic] [--export DIR] [--work DIR] [--write docs/benchmarks.md]

Each table of the export is repeated with ids, names and addresses of its own, so that copies are records of their own and
point to each other; what defines (stages, custom fields, automations), users and files stay as they are. `--export`: another
export than the pack's example, with one pack. The end is checked: accounts close, nothing differs, all of it goes back.
"""

import argparse
import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pages import a_page, write_section
from route import STEPS, measure, table

from flitstack.app.emulators import EmulatorProcess, call
from flitstack.app.steps.emulator import read_destination
from flitstack.packs.read import load_pack, pack_names
from flitstack.packs.types import Field, Pack
from flitstack.staging.recognise import match_columns, object_of

TITLE = "Every source at a multiple of its example"
NAMES = frozenset({"person.family_name", "person.name", "person.full_name", "company.name", "person.company_name"})
Change = Callable[[str, int], str]


def multiply(pack: Pack, export: Path, target: Path, times: int) -> None:
    """The export with every table's rows `times` over."""
    shutil.copytree(export, target)
    users = {name for name, source in pack.objects.items() if any(f.means == "user.id" for f in source.fields.values())}
    for path in sorted(target.rglob("*.csv")):
        inside = path.relative_to(target)
        if "destination" not in inside.parts and "delta" not in inside.parts:
            _multiply_table(pack, path, str(inside), users, times)


def _multiply_table(pack: Pack, path: Path, inside: str, users: set[str], times: int) -> None:
    encoding = "utf-8" if _is_utf8(path) else "cp1251"
    with path.open(encoding=encoding, newline="") as file:
        dialect = csv.Sniffer().sniff(file.readline(), ",;\t|")
        file.seek(0)
        header, *rows = csv.reader(file, delimiter=dialect.delimiter)
    source, _ = object_of(inside, header, pack)
    if source is None or source.name in users:
        return
    known = match_columns(header, source).fields
    keys = {source.key, *source.also_key}
    changes = [_change(known.get(place), keys, users) for place in range(len(header))]
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=dialect.delimiter)
        writer.writerow(header)
        for number in range(times):
            for row in rows:
                writer.writerow(change(cell, number) for change, cell in zip(changes, row, strict=False))


def _is_utf8(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _change(field: Field | None, keys: set[str], users: set[str]) -> Change:
    """What the copies of a column's cells become."""
    if field is None or field.links in users or field.means.startswith(("user.", "stage.", "schema.")):
        return _same
    if field.type == "email":
        return _each(field, lambda cell, number: cell.replace("@", f"+{number}@", 1))
    if field.means in NAMES:
        return lambda cell, number: f"{cell} {number}" if cell.strip() and number else cell
    if field.name in keys or field.links or field.means.startswith("record."):
        return _each(
            field, lambda cell, number: cell.replace("@", f"+{number}@", 1) if "@" in cell else f"{cell}-{number}"
        )
    return _same


def _same(cell: str, number: int) -> str:
    return cell


def _each(field: Field, change: Change) -> Change:
    """The change for each value of a list; empty values and the first copy stay."""

    def apply(cell: str, number: int) -> str:
        if not number or not cell.strip() or field.type in {"datetime", "date", "boolean", "number"}:
            return cell
        parts = cell.split(field.separator) if field.separator else [cell]
        return (field.separator or "").join(change(part, number) if part.strip() else part for part in parts)

    return apply


def run(pack: Pack, export: Path, work: Path, times: int) -> list[str]:
    """The figures of one source as Markdown; exits when its end is not as it must be."""
    large, project = work / pack.name / "export", work / pack.name / "project"
    multiply(pack, export, large, times)
    with EmulatorProcess(work / pack.name / "emulator") as emulator:
        call(emulator.url, "seed", read_destination(export / "destination"))
        new = ["new", str(project), "--from", pack.name, "--export", str(large), "--to", emulator.url]
        command = [sys.executable, "-m", "flitstack", *new, "--scoping", str(export / "scoping.json")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        measured = [measure(project, words, works_on) for words, works_on in STEPS]
    found = {one.name: one.document for one in measured}
    accounts = found["status"]["accounts"]
    assert isinstance(accounts, dict)
    if found["reconcile"]["differences"] or not found["rollback"]["equal"]:
        sys.exit(
            f"{pack.name}: {found['reconcile']['differences']} differences, rollback equal: {found['rollback']['equal']}"
        )
    if open_ones := [name for name, account in accounts.items() if not account["closes"]]:
        sys.exit(f"{pack.name}: the accounts of {', '.join(open_ones)} do not close")
    records = sum(account["read"] for account in accounts.values())
    held = sum(account["held"] + account["rejected"] for account in accounts.values())
    rows = int(str(found["reconcile"]["rows"]))
    text = f"{pack.title}: {records:,} records, {held:,} of them held, {rows:,} rows, {found['reconcile']['cells']:,} cells compared."
    return [text, "", *table([one for one in measured if one.works_on], records, rows), ""]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--packs", nargs="*", default=pack_names())
    parser.add_argument("--export", type=Path, help="instead of the pack's example")
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"))
    parser.add_argument("--write", type=a_page, help="also write the figures to this page")
    given = parser.parse_args()
    shutil.rmtree(given.work, ignore_errors=True)
    lines = []
    for name in given.packs:
        pack = load_pack(name)
        found = run(pack, given.export or pack.folder / "example", given.work, given.times)
        print("\n".join(found))
        lines += found
    if given.write:
        told = "The emulator shares the cores. 0 differences, the destination afterwards as before."
        write_section(given.write, TITLE, f"python benchmarks/sources.py {' '.join(sys.argv[1:])}", [told, "", *lines])


if __name__ == "__main__":
    main()
