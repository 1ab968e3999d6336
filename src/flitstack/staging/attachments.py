"""The inventory of files that travel with records, and the rule that none leads out of the export."""

from pathlib import Path, PurePosixPath

from flitstack.staging.recognise import is_beside


def export_files(export: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Every file of the export as a path inside it, sorted; second: links that were refused.

    A link could point anywhere on this machine, so none is followed.
    """
    files, refused = [], []
    for path in sorted(export.rglob("*")):
        inside = PurePosixPath(path.relative_to(export).as_posix())
        if is_beside(inside):
            continue
        if path.is_symlink() or any(
            parent.is_symlink() for parent in path.parents if parent != export and export in parent.parents
        ):
            refused.append(inside)
        elif path.is_file():
            files.append(inside)
    return files, refused


def inventory(export: Path, files: list[PurePosixPath]) -> dict[str, int]:
    """Path inside the export -> size in bytes."""
    return {str(path): (export / path).stat().st_size for path in files}
