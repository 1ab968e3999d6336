"""Compile src/flitstack/catalogue/tables/*.yaml from a folder of published Dataverse facts (JSON).

    python tools/compile_catalogue.py FACTS_DIR [TARGET_DIR]

The folder holds index.json, states.json, relationships.json and tables/*.json; see docs/catalogue.md for its sources.
Tables without facts there (publisher, solution) are written by hand and left alone.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalogue_rules import NOT_CUSTOMIZABLE, PROCESSES, STANDARD_AFTER_ALL, WHERE_PRESENT, messages
from catalogue_yaml import document

TARGET = Path("src/flitstack/catalogue/tables")
Facts = dict[str, Any]

# fact -> key of the catalogue file, in the order of a line; facts equal to None are left out
COLUMN_KEYS = (
    ("len", "len"), ("min", "min"), ("max", "max"), ("prec", "prec"), ("prec_src", "prec_source"), ("fmt", "fmt"),
    ("dt", "date"), ("default", "default"), ("base_of", "base_of"), ("calc", "calc"), ("auto", "auto"),
    ("inherited", "inherited"), ("odata", "web_api"), ("logical", "logical"), ("max_kb", "max_kb"),
)  # fmt: skip
TRAITS = {
    "is_activity": "activity", "is_activity_party": "activity_party", "has_notes": "notes",
    "has_activities": "activities", "has_connections": "connections", "can_queue": "queue",
    "has_document_locations": "document_locations", "change_tracking": "change_tracking",
    "dup_detection": "duplicate_detection", "optimistic": "optimistic_concurrency", "is_child": "child",
    "is_bpf": "process",
}  # fmt: skip
DOUBTS = {"ops_assumed": "ops", "req_assumed": "required", "default_assumed": "default"}
CHOICES = {"Picklist", "MultiSelectPicklist", "Boolean", "EntityName"}


def main() -> None:
    facts, target = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else TARGET
    index, states = _read(facts / "index.json"), _read(facts / "states.json")
    lookups, links = _relationships(facts / "relationships.json", index)
    activity_base = _read(facts / "tables" / "activitypointer.json")["columns"].keys()
    target.mkdir(parents=True, exist_ok=True)
    for name, properties in index.items():
        columns = _columns(name, _read(facts / "tables" / f"{name}.json"))
        if properties["is_activity"]:
            # So it is in every activity whose own metadata was published (docs/catalogue.md).
            columns |= {column: columns[column] | {"inherited": True} for column in columns.keys() & activity_base}
        own_lookups = [fact for fact in lookups[name] if fact["referencing_attr"] in columns]
        sections = (
            ("table", _table(properties)),
            ("traits", _traits(name, properties, columns)),
            ("assumed", _assumed(properties)),
            ("messages", messages(name, properties["messages"])),
            ("keys", {key["name"]: key["columns"] for key in properties["keys"]}),
            ("states", _states(states.get(name, {}), columns)),
            ("columns", {column: _column(name, column, fact, own_lookups) for column, fact in columns.items()}),
            ("lookups", {fact["name"]: _lookup(fact) for fact in own_lookups}),
            ("many_to_many", {fact["name"]: _link(fact) for fact in links[name]}),
        )
        (target / f"{name}.yaml").write_text(document(name, sections), encoding="utf-8")


def _relationships(path: Path, index: Facts) -> tuple[dict[str, list[Facts]], dict[str, list[Facts]]]:
    """Lookups by referencing table, and many-to-many links by the first of their tables that is catalogued."""
    facts = _read(path)
    lookups: dict[str, list[Facts]] = defaultdict(list)
    links: dict[str, list[Facts]] = defaultdict(list)
    for lookup in facts["one_to_many"]:
        lookups[lookup["referencing"]].append(lookup)
    for link in facts["many_to_many"]:
        links[link["entity1"] if link["entity1"] in index else link["entity2"]].append(link)
    return lookups, links


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _columns(name: str, facts: Facts) -> dict[str, Facts]:
    """Columns of a plain Sales environment, by name; what other apps add is left out."""
    reclaimed = {
        column: fact for column, fact in facts["addon_columns"].items() if (name, column) in STANDARD_AFTER_ALL
    }
    return dict(sorted((facts["columns"] | reclaimed).items()))


def _table(facts: Facts) -> Facts:
    line = {
        "schema": facts["schema"],
        "set": facts["set"],
        "id": facts["id"],
        "name": facts["name"],
        "label": facts["label"],
        "plural": facts["label_plural"],
        "ownership": facts["ownership"] or "None",
        "code": facts["otc"],
        "collection": facts["collection_schema"],
        "image": facts["image"],
        "source": facts["source"],
    }
    return {key: value for key, value in line.items() if value is not None}


def _traits(name: str, facts: Facts, columns: dict[str, Facts]) -> list[str]:
    """What is true of the table; where no source says, what follows from its ownership and its columns."""
    implied = {
        "change_tracking": facts["ownership"] in {"UserOwned", "OrganizationOwned"},
        "optimistic": True,
        "is_child": columns.get("ownerid", {}).get("ops") == "-R-",
        "is_bpf": name in PROCESSES,
    }
    found = [word for key, word in TRAITS.items() if facts.get(key) or (facts.get(key) is None and implied.get(key))]
    if name not in NOT_CUSTOMIZABLE:
        found.append("customizable")
    if name in WHERE_PRESENT:
        found.append("where_present")
    return found


def _assumed(facts: Facts) -> list[str]:
    """Traits no source states for this table."""
    return [TRAITS[key] for key in ("change_tracking", "dup_detection", "optimistic") if facts.get(key) is None]


def _states(states: Facts, columns: dict[str, Facts]) -> dict[int, Facts]:
    """Statecode to its facts, the default state first.

    A state listed without status reasons takes those the status column assigns to it.
    """
    found: dict[int, Facts] = {}
    for value in sorted(map(int, states), key=lambda value: (value != columns["statecode"]["default"], value)):
        facts = states[str(value)]
        reasons = {int(reason): label for reason, label in facts["statuses"].items()}
        reasons = reasons or {reason: label for reason, label, state in columns["statuscode"]["opts"] if state == value}
        found[value] = {"label": facts["label"], "default": facts["default_status"], "statuses": reasons}
    return found


def _column(table: str, name: str, facts: Facts, lookups: list[Facts]) -> Facts:
    line: Facts = {"schema": facts["schema"], "type": facts["type"]}
    if "label" in facts:
        line["label"] = facts["label"]
    if facts["req"] != "None":
        line["req"] = facts["req"]
    line["ops"] = facts["ops"]
    line |= {key: facts[fact] for fact, key in COLUMN_KEYS if facts.get(fact) is not None}
    line |= _choice(table, name, facts)
    if "targets" in facts:
        line["to"] = facts["targets"]
        line |= _navigation(name, facts, lookups)
    doubts = [word for key, word in DOUBTS.items() if facts.get(key)]
    doubts += [facts["unsure"]] if "unsure" in facts else []
    return line | ({"doubt": doubts} if doubts else {})


def _choice(table: str, name: str, facts: Facts) -> Facts:
    """Options and option set; State and Status take theirs from `states`, unless the table lists none there."""
    line: Facts = {}
    if facts["type"] in CHOICES and facts.get("opts"):
        line["opts"] = {option[0]: option[1] for option in facts["opts"]}
    if facts.get("optset", f"{table}_{name}") != f"{table}_{name}":
        line["set"] = facts["optset"]
    if facts.get("global"):
        line["global"] = True
    return line


def _navigation(name: str, facts: Facts, lookups: list[Facts]) -> Facts:
    """`nav` of the column, only where the table's relationships do not already say it."""
    wanted: Mapping[str, str] = facts.get("nav") or {}
    derived = {r["referenced"]: r["nav"] for r in lookups if r["referencing_attr"] == name and r["nav"]}
    if all(derived.get(target) == nav for target, nav in wanted.items()) and set(derived) <= set(wanted):
        return {}
    if len(set(wanted.values())) == 1 and set(wanted) == set(facts["targets"]):
        return {"nav": next(iter(wanted.values()))}
    if (
        wanted
        and all(nav == f"{name}_{target}" for target, nav in wanted.items())
        and set(wanted) == set(facts["targets"])
    ):
        return {"nav": f"{name}_*"}
    return {"nav": dict(wanted)}


def _lookup(facts: Facts) -> Facts:
    line = {"column": facts["referencing_attr"], "to": facts["referenced"]}
    if facts["referenced_attr"] != f"{facts['referenced']}id":
        line["key"] = facts["referenced_attr"]
    if facts["nav"] != facts["referencing_attr"]:
        line["nav"] = facts["nav"]
    if facts["nav_collection"] != facts["name"]:
        line["collection"] = facts["nav_collection"]
    if facts.get("hierarchical"):
        line["hierarchical"] = True
    if facts.get("unsure"):
        line["doubt"] = [facts["unsure"]]
    cascade = facts["cascade"]
    shared = {cascade.get(action) for action in ("assign", "reparent", "share", "unshare")}
    if shared == {"Cascade"}:
        cascade = {"owner": "Cascade"} | {a: k for a, k in cascade.items() if a in {"delete", "merge"}}
    acting = {action: kind for action, kind in cascade.items() if kind != "NoCascade"}
    return line | ({"cascade": acting} if acting else {})


def _link(facts: Facts) -> Facts:
    return {
        "tables": [facts["entity1"], facts["entity2"]],
        "columns": [facts["attr1"], facts["attr2"]],
        "navs": [facts["nav1"], facts["nav2"]],
        "intersect": facts["intersect"],
    }


if __name__ == "__main__":
    main()
