"""What the macro `label_key` gives, in Python: for labels that people wrote into maps and decisions."""

import re

from flitstack.staging.engine.text import BLANK, INVISIBLE


def label_key(text: str) -> str:
    """Lower case, cleaned; empty for no text.

    Letter by letter, as the engine does: `İ` is `i`, not `i` and a dot above it, and `Σ` is `σ` at a word's end too.
    """
    cleaned = _BLANKS.sub(" ", _INVISIBLES.sub("", text)).strip(" \u200c\u200d")
    return "".join(c.lower()[0] for c in cleaned)


def _letters(ranges: str) -> re.Pattern[str]:
    """A class of letters as Python writes it."""
    return re.compile("[" + re.sub(r"\\x\{(....)\}", r"\\u\1", ranges) + "]+")


_BLANKS, _INVISIBLES = _letters(BLANK), _letters(INVISIBLE)
