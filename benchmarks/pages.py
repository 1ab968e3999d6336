"""Sections of docs/benchmarks.md, each written by the program that measured it."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def write_section(page: Path, title: str, command: str, lines: Sequence[str]) -> None:
    """Replace the section `title` of the page, or add it at the end. `command`: what measured it."""
    text = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    text = re.sub(rf"## {re.escape(title)}\n.*?(?=\n## |\Z)", "", text, flags=re.DOTALL).rstrip()
    when = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores and, on average, {os.getloadavg()[1]:.1f} processes at work, "
        f"Python {platform.python_version()}."
    )
    page.write_text(
        "\n".join([text, "", f"## {title}", "", f"    {command}", "", when, "", *lines, ""]), encoding="utf-8"
    )
