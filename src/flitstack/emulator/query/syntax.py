"""`$filter` text as a tree. Grammar: OData 4.0 URL conventions, the part Dataverse documents."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flitstack.emulator.messages import Refusal, not_implemented

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"\\]|\\.)*")
  | (?P<guid>\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?)
  | (?P<instant>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)
  | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)
  | (?P<name>@?[A-Za-z_][\w.]*)
  | (?P<mark>[(),/:=\[\]])
)""",
    re.VERBOSE,
)
# Operators of OData that Dataverse has no answer to; "has" and "in" among them.
_FOREIGN = frozenset({"add", "sub", "mul", "div", "mod", "has", "in"})
COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
MAX_DEPTH = 100
MAX_CONDITIONS = 500  # SQLite refuses expressions nested deeper than 1,000, and a chain of `or` nests


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; `kind` is text, guid, instant, number, boolean or null."""

    kind: str
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Path:
    """`name` or `navigation/name`."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """`["a","b"]`, the values of a query function."""

    items: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`name(a, b)`; query functions have named arguments."""

    name: str
    arguments: tuple["Node", ...]
    named: tuple[tuple[str, "Node"], ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`."""

    op: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Logic:
    """`and`, `or`, or `not` (one operand)."""

    op: str
    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Lambda:
    """`collection/any(x:condition)`; no condition means "not empty"."""

    collection: Path
    quantifier: str
    variable: str
    condition: "Node | None"


Node = Literal | Path | Listing | Call | Compare | Logic | Lambda


def syntax_error(text: str, detail: str = "") -> Refusal:
    """400 for text that is no expression."""
    return Refusal(400, "0x80060888", f"Syntax error in '{text}'.{' ' + detail if detail else ''}")


def parse_filter(text: str, aliases: Mapping[str, str]) -> Node:
    """The tree of a filter; `aliases` gives the text of `@p1` and its like."""
    reader = _Reader(text, aliases)
    node = reader.disjunction(0)
    reader.expect_end()
    return node


def parse_value(text: str) -> Node:
    """One value as a parameter of a function holds it: a literal or a list of literals."""
    reader = _Reader(text, {})
    node = reader._primary(0)
    reader.expect_end()
    return node


class _Reader:
    def __init__(self, text: str, aliases: Mapping[str, str]) -> None:
        self._text = text
        self._aliases = aliases
        self._tokens: list[tuple[str, str]] = []
        at = 0
        stripped = text.rstrip()
        while at < len(stripped):
            match = _TOKEN.match(stripped, at)
            if match is None:
                raise syntax_error(text, f"at position {at}")
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind]))
            at = match.end()
        self._at = 0
        if sum(token in {("name", "and"), ("name", "or")} for token in self._tokens) >= MAX_CONDITIONS:
            raise Refusal(400, "0x8004430D", "Number of conditions in query exceeded maximum limit.")

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, value: str) -> bool:
        if self._peek()[1] == value and self._peek()[0] in {"mark", "name"}:
            self._at += 1
            return True
        return False

    def _expect(self, value: str) -> None:
        if not self._take(value):
            raise syntax_error(self._text, f"'{value}' expected")

    def expect_end(self) -> None:
        if self._peek()[0] != "end":
            raise syntax_error(self._text, f"unexpected '{self._peek()[1]}'")

    def disjunction(self, depth: int) -> Node:
        operands = [self._conjunction(depth)]
        while self._take("or"):
            operands.append(self._conjunction(depth))
        return operands[0] if len(operands) == 1 else Logic("or", tuple(operands))

    def _conjunction(self, depth: int) -> Node:
        operands = [self._negation(depth)]
        while self._take("and"):
            operands.append(self._negation(depth))
        return operands[0] if len(operands) == 1 else Logic("and", tuple(operands))

    def _negation(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise syntax_error(self._text, "nested too deeply")
        if self._take("not"):
            return Logic("not", (self._negation(depth + 1),))
        left = self._primary(depth)
        if self._peek()[0] == "name" and self._peek()[1] in _FOREIGN:
            raise not_implemented(f"the operator '{self._peek()[1]}' in $filter")
        if self._peek()[0] == "name" and self._peek()[1] in COMPARISONS:
            op = self._next()[1]
            right = self._primary(depth)
            if self._peek()[0] == "name" and self._peek()[1] in _FOREIGN:
                raise not_implemented(f"the operator '{self._peek()[1]}' in $filter")
            return Compare(op, left, right)
        return left

    def _primary(self, depth: int) -> Node:
        if self._take("("):
            inside = self.disjunction(depth + 1)
            self._expect(")")
            return inside
        kind, value = self._peek()
        if kind == "mark" and value == "[":
            return self._listing()
        if kind == "name":
            return self._name(depth)
        return self._literal()

    def _literal(self) -> Literal:
        kind, value = self._next()
        if kind == "text":
            return Literal("text", value[1:-1].replace("''", "'"))
        if kind == "quoted":
            return Literal("text", value[1:-1].replace('\\"', '"').replace("\\\\", "\\"))
        if kind == "number":
            return Literal("number", int(value) if re.fullmatch(r"[+-]?\d{1,18}", value) else float(value))
        if kind in {"guid", "instant"}:
            return Literal(kind, value)
        raise syntax_error(self._text, f"unexpected '{value}'" if value else "unexpected end")

    def _listing(self) -> Listing:
        self._expect("[")
        items = []
        while not self._take("]"):
            items.append(self._literal())
            if not self._take(","):
                self._expect("]")
                break
        return Listing(tuple(items))

    def _name(self, depth: int) -> Node:
        name = self._next()[1]
        if name.startswith("@"):
            text = self._aliases.get(name)
            if text is None:
                raise syntax_error(self._text, f"parameter alias {name} has no value")
            inner = _Reader(text, {})
            node = inner._primary(depth + 1)
            inner.expect_end()
            return node
        if name in {"true", "false"}:
            return Literal("boolean", name == "true")
        if name == "null":
            return Literal("null", None)
        if self._take("("):
            return self._call(name, depth)
        parts = [name]
        while self._take("/"):
            kind, part = self._next()
            if kind != "name":
                raise syntax_error(self._text)
            if part in {"any", "all"} and self._peek() == ("mark", "("):
                return self._lambda(Path(tuple(parts)), part, depth)
            parts.append(part)
        return Path(tuple(parts))

    def _lambda(self, collection: Path, quantifier: str, depth: int) -> Node:
        self._expect("(")
        if quantifier == "any" and self._take(")"):
            return Lambda(collection, quantifier, "", None)
        variable = self._next()[1]
        self._expect(":")
        condition = self.disjunction(depth + 1)
        self._expect(")")
        return Lambda(collection, quantifier, variable, condition)

    def _call(self, name: str, depth: int) -> Call:
        arguments: list[Node] = []
        named: list[tuple[str, Node]] = []
        while not self._take(")"):
            if self._peek()[0] == "name" and self._peek(1) == ("mark", "="):
                key = self._next()[1]
                self._next()
                named.append((key, self._primary(depth + 1)))
            else:
                arguments.append(self.disjunction(depth + 1))
            if not self._take(","):
                self._expect(")")
                break
        return Call(name, tuple(arguments), tuple(named))
