"""Which option a source value means: by `choice_key`, and by the label as it stands where labels differ in nothing else.

`C` and `C#` have one choice_key. A value is then the option whose label it is, without case and outer blanks; any other
spelling of it (`C.`) is none of them: nothing says which.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from flitstack.mapping.maps import ColumnRule
from flitstack.mapping.target import Target
from flitstack.staging.engine.engine import literal
from flitstack.staging.engine.labels import label_key

Option = int | bool | None
T = TypeVar("T")
U = TypeVar("U")

# Stands before a label_key among the keys; no choice_key holds a blank.
EXACT = " "
_UNSEEN = dict.fromkeys(map(ord, " _.#/-"))


class Unsuitable(ValueError):
    """This kind of column cannot be filled this way; the text says why."""


def choice_values(rule: ColumnRule, target: Target) -> dict[str, Option]:
    """Key of a source value (`by_key`) -> the option's value. Labels in `choices` are looked up among the options.

    Raises Unsuitable for a label that no option has, or that could be several.
    """
    options = target.options or {}
    labels = by_key((label, option) for option, label in options.items())
    if rule.choices is None:
        return dict(labels)
    found: list[tuple[str, Option]] = []
    for source, wanted in rule.choices.items():
        if isinstance(wanted, str) and (option := of_label(wanted, labels, None)) is None:
            alike = [f"{n} ({label})" for n, label in options.items() if choice_key(label) == choice_key(wanted)]
            known = ", ".join(options.values()) or "none"
            what = f"could be {' or '.join(alike)}: write its number" if alike else f"is not an option (known: {known})"
            raise Unsuitable(f"{wanted!r} {what}")
        found.append((source, option if isinstance(wanted, str) else wanted))
    return by_key(found)


def by_key(labelled: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Key -> what is labelled: the choice_key, but each label's own where labels of different things share one.

    Two things under one and the same label are in none.
    """
    alike: dict[str, list[tuple[str, T]]] = {}
    for label, thing in labelled:
        alike.setdefault(choice_key(label), []).append((label, thing))
    found: dict[str, T] = {}
    for key, those in alike.items():
        if key and all(thing == those[0][1] for _, thing in those):
            found[key] = those[0][1]
            continue
        for label, thing in those:
            own = label_key(label)
            if own and all(other == thing for name, other in those if label_key(name) == own):
                found[EXACT + own] = thing
    return found


def of_label(label: str, labelled: Mapping[str, T], otherwise: U) -> T | U:
    """What `by_key` knows under this label."""
    return labelled.get(EXACT + label_key(label), labelled.get(choice_key(label), otherwise))


def key_sql(text: str, known: Iterable[str]) -> str:
    """SQL of the key under which a text is looked up among those of `by_key`; NULL for no text."""
    exact = ", ".join(literal(key.removeprefix(EXACT)) for key in known if key.startswith(EXACT))
    if not exact:
        return f"choice_key({text})"
    return f"CASE WHEN label_key({text}) IN ({exact}) THEN '{EXACT}' || label_key({text}) ELSE choice_key({text}) END"


def choice_key(text: str) -> str:
    """The engine's `choice_key` for the plain text of labels: lower case without blanks and `_-.#/`."""
    return label_key(text).translate(_UNSEEN)
