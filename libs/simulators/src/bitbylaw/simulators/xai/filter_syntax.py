"""The syntax of list filters: the part of AIP-160 that xAI documents (reference, Files and Collections REST).

    name = "klage" AND size_bytes > 1000          fields.isbn:"978-3" AND status:!DOCUMENT_STATUS_FAILED

As in AIP-160, OR binds tighter than AND. `:` may be followed by another operator (`size_bytes:>5000000`).
"""

import re
from collections.abc import Iterator

import msgspec

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<operator>:\s*(?:!=|>=|<=|=|!|>|<)|!=|>=|<=|=|>|<|:)
      | (?P<bracket>[()])
      | (?P<word>[^\s"=!<>:()]+(?::[^\s"=!<>:()]+)*)
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")


class FilterSyntaxError(ValueError):
    """A filter that cannot be read."""


class Comparison(msgspec.Struct, frozen=True):
    """One field compared with one value; `operator` is = != > >= < <= or `has` (the colon); `value` None is null."""

    field: str
    operator: str
    value: str | None


class Negation(msgspec.Struct, frozen=True):
    """NOT."""

    inner: "Node"


class AllOf(msgspec.Struct, frozen=True):
    """AND."""

    parts: "tuple[Node, ...]"


class AnyOf(msgspec.Struct, frozen=True):
    """OR."""

    parts: "tuple[Node, ...]"


Node = Comparison | Negation | AllOf | AnyOf


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str


def parse(text: str) -> Node:
    """Read a filter. Raises `FilterSyntaxError`."""
    parser = _Parser(list(_tokens(text)))
    node = parser.expression()
    parser.expect_end()
    return node


def _tokens(text: str) -> Iterator[_Token]:
    position, text = 0, text.rstrip()
    field_next = True
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise FilterSyntaxError(f"unexpected character at {position}")
        token, position = _Token(found.lastgroup, found[found.lastgroup]), found.end()
        if field_next and token.kind == "word" and ":" in token.text:
            # `status:DONE` is a field and a value, while `created_at > 2026-01-01T00:00:00Z` has colons in its value.
            field, _, value = token.text.partition(":")
            yield from (_Token("word", field), _Token("operator", ":"), _Token("word", value))
            continue
        field_next = token.kind != "operator"
        yield token


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def expression(self) -> Node:
        parts = [self._alternatives()]
        while self._take_word("AND"):
            parts.append(self._alternatives())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise FilterSyntaxError(f"unexpected {self._tokens[self._at].text!r}")

    def _alternatives(self) -> Node:
        parts = [self._term()]
        while self._take_word("OR"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _term(self) -> Node:
        if self._take_word("NOT"):
            return Negation(self._term())
        if self._take("bracket", "("):
            inner = self.expression()
            if not self._take("bracket", ")"):
                raise FilterSyntaxError("missing )")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        field = self._next("word").text
        operator = _operator(self._next("operator").text)
        value = self._next("word", "string")
        if value.kind == "string":
            return Comparison(field, operator, _ESCAPED.sub(r"\1", value.text[1:-1]))
        return Comparison(field, operator, None if value.text == "null" else value.text)

    def _take_word(self, word: str) -> bool:
        return self._take("word", word)

    def _take(self, kind: str, text: str) -> bool:
        fits = self._at < len(self._tokens) and self._tokens[self._at] == _Token(kind, text)
        self._at += fits
        return fits

    def _next(self, *kinds: str) -> _Token:
        if self._at == len(self._tokens) or self._tokens[self._at].kind not in kinds:
            raise FilterSyntaxError(f"expected {' or '.join(kinds)}")
        self._at += 1
        return self._tokens[self._at - 1]


def _operator(text: str) -> str:
    if text == ":":
        return "has"
    bare = text.removeprefix(":").strip()
    return "!=" if bare == "!" else bare
