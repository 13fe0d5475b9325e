"""The filter language of the simulated xAI (AIP-160)."""

import pytest

from bitbylaw.simulators.xai.filter_syntax import AllOf, AnyOf, Comparison, FilterSyntaxError, Negation, parse

A, B, C = (Comparison(name, "=", "1") for name in "abc")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", A),
        ("a=1 AND b=1 OR c=1", AllOf((A, AnyOf((B, C))))),
        ("NOT a=1 AND b=1", AllOf((Negation(A), B))),
        ("(a=1 AND b=1) OR c=1", AnyOf((AllOf((A, B)), C))),
        ('a = "say \\"x\\" (AND)"', Comparison("a", "=", 'say "x" (AND)')),
        ("a:x", Comparison("a", "has", "x")),
        ("a:!x", Comparison("a", "!=", "x")),
        ("a:>=5", Comparison("a", ">=", "5")),
        ("a != null", Comparison("a", "!=", None)),
        ('a = "null"', Comparison("a", "=", "null")),
        ("a > 2026-01-01T00:00:00Z", Comparison("a", ">", "2026-01-01T00:00:00Z")),
        ("fields.az:x AND b=1", AllOf((Comparison("fields.az", "has", "x"), B))),
    ],
)
def test_parse(text: str, expected: object) -> None:
    """Operators, quoting, brackets and the binding of OR before AND."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["a", "a =", "= 1", "a = 1 b = 2", "(a = 1", "a = 1)", "a = 1 AND", 'a = "x', "a == 1"]
)
def test_errors(text: str) -> None:
    """What is no filter is refused."""
    with pytest.raises(FilterSyntaxError):
        parse(text)
