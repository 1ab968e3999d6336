"""Renders HTML documents: one file each, no script, nothing loaded from anywhere."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flitstack.documents import save_bytes

TEMPLATES = Path(__file__).with_name("templates")


def write_page(template: str, path: Path, values: Mapping[str, Any]) -> Path:
    """Render a template of `templates/` with every value escaped, and replace `path` with it."""
    save_bytes(path, _environment().get_template(template).render(values).encode())
    return path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "share": _share, "moment": _moment, "size": _size, "duration": _duration}
    return environment


def _count(number: int) -> str:
    return f"{number:,}"


def _share(part: float, whole: float = 1) -> str:
    """A share in per cent; 100 % and 0 % only when it is exactly that."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 1 or 99 < share < 100:
        return f"{share:.1f} %" if 0.05 <= share <= 99.94 else ("< 0.1 %" if share < 1 else "> 99.9 %")
    return f"{share:.0f} %"


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ") + " UTC" if len(iso) > 16 else iso


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
