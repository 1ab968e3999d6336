"""The rule that a file named in an export is read from inside it, wherever it is asked for."""

from pathlib import Path

import pytest

from flitstack.staging.document import exported_file


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export with a file, a folder and two links, beside a file of its neighbour, whose name begins with its own."""
    for name in ("export/notes/a.txt", "export-of-others/secret.txt", "kept/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "export/out.txt").symlink_to(tmp_path / "export-of-others/secret.txt")
    (tmp_path / "export/in.txt").symlink_to(tmp_path / "export/notes/a.txt")
    return tmp_path / "export"


@pytest.mark.parametrize("inside", ["notes/a.txt", "notes/../notes/a.txt", "in.txt"])
def test_a_file_of_the_export_is_found(export: Path, inside: str) -> None:
    assert exported_file(export, "", inside) == (export / "notes/a.txt").resolve()


@pytest.mark.parametrize(
    "inside",
    ["../export-of-others/secret.txt", "out.txt", "/etc/passwd", "notes", "", ".", "notes/gone.txt"],
)
def test_what_leads_out_or_is_no_file_is_not_there(export: Path, inside: str) -> None:
    assert exported_file(export, "", inside) is None


def test_a_file_that_stood_inside_a_record_lies_in_the_folder_it_was_kept_in(export: Path) -> None:
    kept = export.parent / "kept"
    assert exported_file(export, str(kept), ".inline/b.txt") == (kept / "b.txt").resolve()
    assert exported_file(export, str(kept), ".inline/../export/notes/a.txt") is None
