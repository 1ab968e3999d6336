"""The files of an export, and the rule that none leads out of it and all have names that can be written."""

import re
from pathlib import Path, PurePosixPath

# Folders beside an export that are not part of it, documents about it, and what operating systems leave behind.
BESIDE = frozenset(("delta", "destination"))
ABOUT = frozenset(("scoping.json", "expected.json", "truth.json"))
_SURROGATES = re.compile("[\ud800-\udfff]")
LEFT_BEHIND = frozenset((".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".git"))


def export_files(export: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Every file of the export as a path inside it, sorted; second: what was refused, links and names that are no UTF-8.

    A link could point anywhere on this machine, so none is followed; a name with other bytes fits into no table.
    """
    files, refused = [], []
    for path in sorted(export.rglob("*")):
        inside = PurePosixPath(path.relative_to(export).as_posix())
        if is_beside(inside):
            continue
        if path.is_symlink() or (path.is_file() and not is_named_in_utf8(inside)):
            refused.append(inside)
        elif path.is_file() and path.resolve().is_relative_to(export.resolve()):
            files.append(inside)
    return files, refused


def is_named_in_utf8(path: PurePosixPath) -> bool:
    """Whether the bytes of a path are text; those that are none stand in it as lone surrogates."""
    return not _SURROGATES.search(str(path))


def is_beside(path: PurePosixPath) -> bool:
    """Whether the path is not part of the export at all."""
    names = [part.casefold() for part in path.parts]
    return names[0] in BESIDE or names[-1] in ABOUT or names[-1].startswith("~$") or bool(LEFT_BEHIND & set(names))
