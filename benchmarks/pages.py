"""Sections of docs/benchmarks.md, each written by the program that measured it."""

import argparse
import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def a_page(text: str) -> Path:
    """A page to write to, checked before hours of measuring are spent on it. Raises argparse.ArgumentTypeError."""
    page = Path(text).absolute()
    if not page.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {page.parent}")
    return page


def write_section(page: Path, title: str, command: str, lines: Sequence[str]) -> None:
    """Replace the section `title` of the page where it stands, or add it at the end. `command`: what measured it."""
    text = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    when = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores and, on average, {os.getloadavg()[1]:.1f} processes at work, "
        f"Python {platform.python_version()}."
    )
    section = "\n".join([f"## {title}", "", f"    {command}", "", when, "", *lines, ""])
    old = re.compile(rf"^## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL | re.MULTILINE)
    found = old.search(text)
    text = text[: found.start()] + section + text[found.end() :] if found else f"{text.rstrip()}\n\n{section}"
    page.write_text(text, encoding="utf-8")
