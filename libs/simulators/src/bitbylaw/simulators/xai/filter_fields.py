"""What a filter means: which fields a list knows, and how each kind of field is compared."""

import enum
import operator
import re
from collections.abc import Callable, Mapping

from bitbylaw.simulators.xai.clock import moment_of
from bitbylaw.simulators.xai.errors import bad_request
from bitbylaw.simulators.xai.filter_syntax import AllOf, AnyOf, Comparison, FilterSyntaxError, Negation, parse

Value = str | int | float | None
Record = Mapping[str, Value]
"""The values a filter sees of one item, by field name."""
Predicate = Callable[[Record], bool]

_ORDERING: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "has": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class FieldKind(enum.Enum):
    """How a field is compared."""

    EXACT = enum.auto()
    FUZZY = enum.auto()
    """Every word of the filter occurs somewhere in the value, whatever the case: more than was asked for may match."""
    NUMBER = enum.auto()
    MOMENT = enum.auto()


def predicate(text: str, fields: Mapping[str, FieldKind]) -> Predicate:
    """Turn a filter into a test; a field ending in `.` stands for all that begin so. Raises `XaiError` (400)."""
    if not text.strip():
        return lambda _record: True
    try:
        return _compiled(parse(text), fields)
    except FilterSyntaxError as error:
        raise bad_request(f"Invalid filter: {error}") from error


def _compiled(node: Comparison | Negation | AllOf | AnyOf, fields: Mapping[str, FieldKind]) -> Predicate:
    match node:
        case Comparison():
            return _comparison(node, fields)
        case Negation(inner):
            negated = _compiled(inner, fields)
            return lambda record: not negated(record)
        case AllOf(parts):
            every = [_compiled(part, fields) for part in parts]
            return lambda record: all(test(record) for test in every)
        case AnyOf(parts):
            some = [_compiled(part, fields) for part in parts]
            return lambda record: any(test(record) for test in some)


def _comparison(node: Comparison, fields: Mapping[str, FieldKind]) -> Predicate:
    kind = fields.get(node.field) or fields.get(node.field.partition(".")[0] + ".")
    if kind is None:
        raise FilterSyntaxError(f"unknown field {node.field!r}")
    if node.value is None:
        return _null_test(node)
    if kind in {FieldKind.NUMBER, FieldKind.MOMENT}:
        return _ordered_test(node, node.value, kind)
    if node.operator not in {"=", "!=", "has"}:
        raise FilterSyntaxError(f"operator {node.operator} does not fit {node.field!r}")
    return _text_test(node, node.value, kind)


def _null_test(node: Comparison) -> Predicate:
    wants_null = node.operator != "!="
    return lambda record: (record.get(node.field) is None) is wants_null


def _ordered_test(node: Comparison, value: str, kind: FieldKind) -> Predicate:
    try:
        limit = moment_of(value) if kind is FieldKind.MOMENT else float(value)
    except ValueError as error:
        raise FilterSyntaxError(f"{value!r} does not fit {node.field!r}") from error
    compare = _ORDERING[node.operator]

    def test(record: Record) -> bool:
        found = record.get(node.field)
        return isinstance(found, int | float) and compare(found, limit)

    return test


def _text_test(node: Comparison, value: str, kind: FieldKind) -> Predicate:
    words = re.findall(r"\w+", value.casefold())

    def matches(found: str) -> bool:
        if kind is FieldKind.FUZZY:
            return all(word in found.casefold() for word in words)
        return found == value

    def test(record: Record) -> bool:
        found = record.get(node.field)
        return matches(str(found) if found is not None else "") is (node.operator != "!=")

    return test
