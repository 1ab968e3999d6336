"""FetchXML text as a query tree. Elements and attributes nobody documents are refused by their name."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from flitstack.emulator.messages import Refusal, not_implemented
from flitstack.emulator.query.fetchxml import faults
from flitstack.emulator.query.fetchxml.tree import (
    FILTER_LINKS,
    JOINS,
    TESTS,
    Attribute,
    Condition,
    Fetch,
    Filter,
    Link,
    Order,
    Part,
    count_conditions,
    links_of,
)
from flitstack.emulator.query.fetchxml.xml_text import Element, parse_xml

MAX_LINKS = 15
MAX_CONDITIONS = 500
MAX_ROWS = 5000
_ALIAS = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_AGGREGATES = frozenset({"avg", "count", "countcolumn", "max", "min", "sum"})
# What each element may carry; the second set has no effect on the rows: hints to SQL Server, words for designers.
_KNOWN: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "fetch": (
        frozenset({"aggregate", "aggregatelimit", "count", "distinct", "page", "paging-cookie", "top"})
        | {"returntotalrecordcount", "useraworderby", "mapping"},
        frozenset({"version", "output-format", "no-lock", "latematerialize", "options", "savedqueryid"}),
    ),
    "entity": (frozenset({"name"}), frozenset({"enableprefiltering", "prefilterparametername"})),
    "link-entity": (
        frozenset({"name", "from", "to", "alias", "link-type"}),
        frozenset({"intersect", "visible", "enableprefiltering", "prefilterparametername"}),
    ),
    "attribute": (
        frozenset({"name", "alias", "aggregate", "groupby", "distinct", "dategrouping", "rowaggregate"}),
        frozenset({"usertimezone"}),  # days begin at midnight UTC for every user
    ),
    "order": (frozenset({"attribute", "alias", "descending", "entityname"}), frozenset()),
    "filter": (frozenset({"type"}), frozenset({"hint"})),
    "condition": (
        frozenset({"attribute", "operator", "value", "valueof", "entityname"}),
        frozenset({"uiname", "uitype", "uihidden"}),
    ),
    "value": (frozenset(), frozenset({"uiname", "uitype"})),
    "all-attributes": (frozenset(), frozenset()),
}


def parse_fetch(text: str) -> Fetch:
    """The query a FetchXML text describes."""
    if not text.strip():
        raise faults.invalid_argument("Expected non-empty string.")
    fetch = parse_xml(text)
    if fetch.name != "fetch" or len(fetch.children) != 1 or fetch.children[0].name != "entity":
        raise faults.no_entity("Entity Name was not specified in FetchXml String.")
    given = _attributes(fetch)
    root = _Reader().root(fetch.children[0])
    links = list(links_of(root))
    if len(links) > MAX_LINKS:
        raise Refusal(400, "0x8004430D", "Number of link entities in query exceeded maximum limit.")
    if count_conditions(root) + len(links) > MAX_CONDITIONS:
        raise Refusal(400, "0x8004430C", "Number of conditions in query exceeded maximum limit.")
    if given.get("mapping", "logical") != "logical":
        raise not_implemented(f"the mapping '{given['mapping']}' in FetchXML")
    is_aggregate = _boolean(given, "aggregate")
    _check_aliases(root, links, is_aggregate=is_aggregate)
    return _with_paging(
        given,
        Fetch(
            root,
            is_aggregate=is_aggregate,
            is_distinct=_boolean(given, "distinct"),
            cookie=given.get("paging-cookie") or None,
            wants_total=_boolean(given, "returntotalrecordcount"),
            record_limit=_positive(given, "aggregatelimit"),
            sorts_choices_by_value=_boolean(given, "useraworderby"),
        ),
    )


def _with_paging(given: Mapping[str, str], fetch: Fetch) -> Fetch:
    top, count, page = (_positive(given, name) for name in ("top", "count", "page"))
    if top is not None:
        if count is not None or page is not None or fetch.cookie is not None or fetch.wants_total:
            raise faults.invalid_argument(
                "The attribute 'top' excludes 'count', 'page', 'paging-cookie' and 'returntotalrecordcount'."
            )
        if top > MAX_ROWS:
            raise faults.invalid_argument(f"The value of 'top' must not exceed {MAX_ROWS:,}.")
    return replace(fetch, top=top, count=None if count is None else min(count, MAX_ROWS), page=page or 1)


def _check_aliases(root: Part, links: list[Link], *, is_aggregate: bool) -> None:
    attributes = [attribute for part in (root, *links) for attribute in part.attributes]
    for attribute in attributes:
        if is_aggregate and attribute.alias is None:
            raise faults.no_alias(attribute.name)
        if not is_aggregate and (attribute.aggregate or attribute.is_group or attribute.date_grouping):
            raise faults.invalid_argument("Aggregates need a fetch with aggregate='true'.")
    _check_unique(link.alias for link in links)
    _check_unique(attribute.alias for attribute in attributes)


def _check_unique(aliases: Iterable[str | None]) -> None:
    seen: set[str] = set()
    for alias in aliases:
        if alias is not None:
            if alias in seen:
                raise Refusal(400, "0x80041109", f"The alias '{alias}' is used twice.")
            seen.add(alias)


def _attributes(element: Element) -> dict[str, str]:
    if element.name not in _KNOWN:
        raise not_implemented(f"the element '{element.name}' in FetchXML")
    known, ignored = _KNOWN[element.name]
    for name in element.attributes:
        if name not in known and name not in ignored:
            raise not_implemented(f"the attribute '{name}' of '{element.name}' in FetchXML")
    return element.attributes


class _Reader:
    """Parts of a query; links are numbered as they come."""

    def __init__(self) -> None:
        self._links = 0

    def root(self, element: Element) -> Part:
        given = _attributes(element)
        if not given.get("name"):
            raise faults.no_entity("Entity Name was not specified in FetchXml String.")
        return Part(given["name"], None, *self._content(element, is_root=True))

    def _link(self, element: Element) -> Link:
        self._links += 1
        number = self._links
        given = _attributes(element)
        if not given.get("name"):
            raise faults.no_entity("A link-entity needs a name.")
        alias = given.get("alias")
        if alias is not None and not _ALIAS.fullmatch(alias):
            raise faults.invalid_alias(alias)
        kind = given.get("link-type") or "inner"
        if kind not in JOINS and kind not in TESTS:
            raise Refusal(400, "0x80041117", f"The link type '{kind}' is not valid.")
        content = self._content(element, is_root=False)
        return Link(given["name"], alias, *content, given.get("from") or None, given.get("to") or None, kind, number)

    def _content(
        self, element: Element, *, is_root: bool
    ) -> tuple[tuple[Attribute, ...], bool, tuple[Order, ...], Filter, tuple[Link, ...]]:
        attributes: list[Attribute] = []
        orders: list[Order] = []
        filters: list[Condition | Filter | Link] = []
        links: list[Link] = []
        has_all = False
        for child in element.children:
            match child.name:
                case "attribute":
                    attributes.append(_attribute(child))
                case "all-attributes":
                    _attributes(child)
                    has_all = True
                case "order":
                    orders.append(_order(child))
                case "filter":
                    filters.append(self._filter(child))
                case "link-entity":
                    links.append(self._link(child))
                case "no-attrs" if is_root:
                    raise not_implemented("the element 'no-attrs' in FetchXML")
                case _:
                    raise faults.invalid_node(
                        "Invalid Child Node, valid nodes are filter, order, link-entity, attribute, all-attributes, "
                        f"no-attrs. NodeName = {child.name} NodeXml = <{child.name}>"
                    )
        return tuple(attributes), has_all, tuple(orders), Filter("and", tuple(filters)), tuple(links)

    def _filter(self, element: Element) -> Filter:
        kind = _attributes(element).get("type") or "and"
        if kind not in {"and", "or"}:
            raise Refusal(400, "0x80041122", f"The filter type '{kind}' is not valid.")
        items: list[Condition | Filter | Link] = []
        for child in element.children:
            match child.name:
                case "condition":
                    items.append(_condition(child))
                case "filter":
                    items.append(self._filter(child))
                case "link-entity":
                    link = self._link(child)
                    if link.kind not in FILTER_LINKS:
                        raise not_implemented(f"a link-entity of type '{link.kind}' inside a filter")
                    items.append(link)
                case _:
                    raise faults.invalid_node(f"Invalid Child Node in a filter. NodeName = {child.name}")
        # A filter that says nothing restricts nothing, whatever its type.
        return Filter(kind if items else "and", tuple(items))


def _attribute(element: Element) -> Attribute:
    given = _attributes(element)
    name, alias = given.get("name"), given.get("alias")
    if not name:
        raise faults.invalid_node("An attribute needs a name.")
    if alias is not None and not _ALIAS.fullmatch(alias):
        raise faults.invalid_alias(alias)
    aggregate, row_aggregate = given.get("aggregate"), given.get("rowaggregate")
    if aggregate is not None and aggregate not in _AGGREGATES:
        raise Refusal(400, "0x8004111A", f"The aggregate '{aggregate}' is not valid.")
    if row_aggregate is not None and (row_aggregate.lower() != "countchildren" or alias is None):
        raise not_implemented(f"the row aggregate '{row_aggregate}' without an alias or with another name")
    return Attribute(
        name, alias, aggregate, _boolean(given, "groupby"), _boolean(given, "distinct"), given.get("dategrouping"),
        row_aggregate,
    )  # fmt: skip


def _order(element: Element) -> Order:
    given = _attributes(element)
    if not given.get("attribute") and not given.get("alias"):
        raise faults.invalid_node("An order needs an attribute or an alias.")
    descending = _boolean(given, "descending", "0x80041119")
    return Order(given.get("attribute"), given.get("alias"), given.get("entityname") or None, descending)


def _condition(element: Element) -> Condition:
    given = _attributes(element)
    operator, attribute = given.get("operator"), given.get("attribute")
    if not operator:
        raise faults.invalid_operator("")
    if not attribute:
        raise faults.invalid_node("A condition needs an attribute.")
    values = [] if "value" not in given else [given["value"]]
    for child in element.children:
        if child.name != "value":
            raise faults.invalid_node(f"Invalid Child Node in a condition. NodeName = {child.name}")
        _attributes(child)
        values.append(child.text)
    return Condition(attribute, operator, tuple(values), given.get("entityname") or None, given.get("valueof") or None)


def _boolean(given: Mapping[str, str], name: str, code: str = "0x80040203") -> bool:
    text = given.get(name, "false").lower()
    if text not in _BOOLEANS:
        raise Refusal(400, code, f"'{text}' is no value for '{name}'.")
    return _BOOLEANS[text]


def _positive(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None or not text.strip():
        return None
    if not _NUMBER.fullmatch(text):
        raise faults.invalid_argument(f"'{text}' is no value for '{name}'.")
    if int(text) < 1:
        raise faults.not_positive(name)
    return int(text)
