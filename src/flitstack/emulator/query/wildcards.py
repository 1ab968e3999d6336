"""SQL Server's LIKE patterns, which `contains`, `startswith` and `endswith` inherit on the platform."""

import re
from functools import lru_cache


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    """SQL Server's LIKE pattern (`%`, `_`, `[a-z]`, `[^a]`) as a regular expression."""
    out, at = [], 0
    while at < len(text):
        char = text[at]
        closing = text.find("]", at + 1) if char == "[" else -1
        if char == "%":
            out.append(".*")
        elif char == "_":
            out.append(".")
        elif closing > at + 1:
            inside = text[at + 1 : closing]
            negated = inside.startswith("^") and len(inside) > 1
            body = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside[1:] if negated else inside)
            out.append(f"[{'^' if negated else ''}{body}]")
            at = closing
        else:
            out.append(re.escape(char))
        at += 1
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:  # a range such as [z-a] matches nothing in SQL Server
        return re.compile(r"(?!)")


def matches(text: str | None, pattern: str) -> bool | None:
    """SQL function behind wildcards in `contains`, `startswith`, `endswith`."""
    return None if text is None else _pattern(pattern).fullmatch(text) is not None
