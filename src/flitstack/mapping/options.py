"""Options of custom choices: numbered once, in the order people know them, and kept in the map."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flitstack.mapping.choices import by_key, of_label
from flitstack.packs.types import Pack
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, quoted, read_parquet
from flitstack.staging.engine.labels import label_key


def number_options(
    rule: dict[str, Any],
    pack: Pack,
    staged: StagingDocument,
    folder: Path,
    engine: Engine,
    option_prefix: int,
    decisions: Mapping[str, Any],
) -> dict[str, Any]:
    """A column's rule with `create.options` as [value, label] and `choices` as source value -> option value.

    `choices_from: {object, name, order}` takes the labels from the records of an object, `choices_from: {decision}` from
    a decision of kind list. `decisions`: what was taken.
    """
    given = rule.get("choices_from")
    create = dict(rule.get("create") or {})
    if given is not None:
        labels = (
            list(dict.fromkeys(str(label) for label in decisions.get(str(given["decision"])) or ()))
            if "decision" in given
            else labels_of(given, pack, staged, folder, engine)
        )
        create["options"] = labels
        if "choices" not in rule:
            rule["choices"] = {label: label for label in labels}
    if not create.get("options"):
        return rule
    first = option_prefix * 10_000
    options = [
        list(option) if isinstance(option, list | tuple) else [first + place, str(option)]
        for place, option in enumerate(create["options"])
    ]
    values = by_key((str(label), value) for value, label in options)
    rule["create"] = {**create, "options": options}
    if rule.get("choices"):
        rule["choices"] = {
            str(source): of_label(wanted, values, wanted) if isinstance(wanted, str) else wanted
            for source, wanted in rule["choices"].items()
        }
    return rule


def labels_of(given: Mapping[str, Any], pack: Pack, staged: StagingDocument, folder: Path, engine: Engine) -> list[str]:
    """Names of a reference object's records, in their order; each name once, whatever its case."""
    table = staged.tables.get(str(given["object"]))
    if table is None:
        return []
    present = {field.name for field in table.fields}
    name, order = str(given["name"]), str(given.get("order", ""))
    if name not in present:
        return []
    by = f"to_number({quoted(order)}) NULLS LAST," if order in present else ""
    rows = engine.rows(
        f"SELECT clean({quoted(name)}) FROM {read_parquet(folder / table.parquet)}"
        f" WHERE clean({quoted(name)}) IS NOT NULL ORDER BY {by} _file, _record"
    )
    found: dict[str, str] = {}
    for (label,) in rows:
        found.setdefault(label_key(str(label)), str(label))
    return list(found.values())
