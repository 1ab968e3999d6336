"""`$select`, `$filter` and `$expand` over metadata documents, evaluated in memory.

Source: Microsoft Learn, "Query table definitions using the Web API". What that page does not offer is refused.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.metadata.attributes import Json
from flitstack.emulator.paths import split_outside
from flitstack.emulator.query.syntax import Call, Compare, Literal, Logic, Node, Path, parse_filter

# `Microsoft.Dynamics.CRM.AttributeTypeCode'Picklist'`: the enumeration's name adds nothing to the value.
_ENUM = re.compile(r"Microsoft\.Dynamics\.CRM\.\w+(?=')")
_KNOWN = frozenset({"$select", "$filter", "$expand", "$count", "$top", "LabelLanguages", "SolutionUniqueName"})
_ALWAYS = ("@odata.type", "MetadataId")
_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part.lower() in text.lower(),
    "startswith": lambda text, part: text.lower().startswith(part.lower()),
    "endswith": lambda text, part: text.lower().endswith(part.lower()),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """The options of one level; `expands` maps a navigation property to the options below it."""

    select: tuple[str, ...] = ()
    condition: Node | None = None
    expands: Mapping[str, "Selection"] = field(default_factory=dict)
    top: int | None = None
    count: bool = False


def read_selection(options: Mapping[str, str]) -> Selection:
    """Options of a request, or of an expand."""
    for name in options:
        if name.startswith("$") and name not in _KNOWN:
            raise not_implemented(f"the metadata query option {name}")
    text = options.get("$filter")
    return Selection(
        select=tuple(name.strip() for name in options.get("$select", "").split(",") if name.strip()),
        condition=parse_filter(_ENUM.sub("", text), options) if text else None,
        expands=dict(map(_read_expand, filter(None, split_outside(options.get("$expand", ""), ",")))),
        top=int(options["$top"]) if options.get("$top", "").isdigit() else None,
        count=options.get("$count") == "true",
    )


def _read_expand(text: str) -> tuple[str, Selection]:
    name, _, inside = text.strip().partition("(")
    options = {}
    for item in split_outside(inside.removesuffix(")"), ";"):
        option, equals, value = item.strip().partition("=")
        if equals:
            options[option] = value
    return name, read_selection(options)


def matching(documents: Iterable[Json], selection: Selection) -> list[Json]:
    """The documents that fulfil the condition."""
    condition = selection.condition
    found = [document for document in documents if condition is None or _holds(condition, document)]
    return found[: selection.top]


def project(document: Json, selection: Selection, navigation: Mapping[str, Callable[[], object]]) -> Json:
    """The chosen members. `navigation` gives what `$expand` may ask for; those members never come unasked."""
    if selection.select:
        for name in selection.select:
            if name not in document and name not in navigation:
                kind = str(document.get("@odata.type", "entity")).removeprefix("#")
                raise Refusal(400, "0x0", f"Could not find a property named '{name}' on type '{kind}'.")
        chosen = {name: document[name] for name in (*_ALWAYS, *selection.select) if name in document}
    else:
        chosen = {name: value for name, value in document.items() if name not in navigation}
    for name, inner in selection.expands.items():
        found = navigation.get(name)
        if found is None:
            raise Refusal(400, "0x80060888", f"Could not find a property named '{name}' to expand.")
        chosen[name] = _expanded(found(), inner)
    return chosen


def _expanded(value: object, selection: Selection) -> object:
    if isinstance(value, list):
        return [project(item, selection, {}) for item in matching(value, selection)]
    return project(value, selection, {}) if isinstance(value, dict) else value


def _holds(node: Node, document: Json) -> bool:
    match node:
        case Logic("not", (operand,)):
            return not _holds(operand, document)
        case Logic("and", operands):
            return all(_holds(operand, document) for operand in operands)
        case Logic("or", operands):
            return any(_holds(operand, document) for operand in operands)
        case Compare():
            return _compares(node, document)
        case Call(name, (left, right)) if name in _TESTS:
            return _TESTS[name](str(_value(left, document) or ""), str(_value(right, document) or ""))
        case Path():
            return _value(node, document) is True
    raise not_implemented("this metadata filter")


def _compares(node: Compare, document: Json) -> bool:
    left, right = _value(node.left, document), _value(node.right, document)
    if (
        isinstance(right, str)
        and isinstance(left, str)
        and isinstance(node.right, Literal)
        and node.right.kind == "guid"
    ):
        left, right = left.lower(), right.strip("{}").lower()
    if node.op in {"eq", "ne"}:
        return (left == right) is (node.op == "eq")
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return False
    return {"gt": left > right, "ge": left >= right, "lt": left < right, "le": left <= right}[node.op]


def _value(node: Node, document: Json) -> object:
    if isinstance(node, Literal):
        return node.value
    if not isinstance(node, Path):
        raise not_implemented("this metadata filter")
    value: object = document
    for part in node.parts:
        if not isinstance(value, dict) or part not in value:
            raise Refusal(400, "0x0", f"Could not find a property named '{part}' on type 'Microsoft.Dynamics.CRM'.")
        value = value[part]
    return value
