"""Reads a filter such as `category == "shoes" and (price < 50 or brand in ["Alder", "Birch"])` into a tree.

filter     = all { "or" all }          all = term { "and" term }
term       = "not" term | "(" filter ")" | comparison
comparison = field ("==" | "!=" | "<" | "<=" | ">" | ">=" | "contains") value
           | field ["not"] "in" "[" value { "," value } "]"
field      = name | "`any name`"       value = "text" | 'text' | number | true | false
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

LENGTH_AT_MOST = 2_000
DEPTH_AT_MOST = 16
VALUES_AT_MOST = 200

Value: TypeAlias = str | float | bool


class FilterError(ValueError):
    """A filter that cannot be read: the character it stopped at (counted from 0) and what was expected there."""

    def __init__(self, text: str, at: int, detail: str) -> None:
        near = text[at : at + 20]
        super().__init__(f"character {at + 1}{f' ({near})' if near else ' (the end)'}: {detail}")
        self.at = at
        self.detail = detail


@dataclass(frozen=True)
class Literal:
    value: Value
    at: int


@dataclass(frozen=True)
class Comparison:
    """`operator` is ==, <, <=, >, >=, contains or in; != and "not in" come as Not of these."""

    field: str
    operator: str
    values: tuple[Literal, ...]
    at: int


@dataclass(frozen=True)
class Not:
    term: Expression


@dataclass(frozen=True)
class All:
    terms: tuple[Expression, ...]


@dataclass(frozen=True)
class AnyOf:
    terms: tuple[Expression, ...]


Expression: TypeAlias = Comparison | Not | All | AnyOf


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int


TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<quoted>`[^`]+`)
      | (?P<operator>==|!=|<=|>=|<|>)
      | (?P<mark>[\[\](),])
      | (?P<word>\w[\w.\-]*)""",
    re.VERBOSE,
)
KEYWORDS = {"and", "or", "not", "in", "contains", "true", "false"}
MISTAKEN = {"=": "==", "&": "and", "|": "or", "!": "not", '"': 'a closing "', "'": "a closing '", "`": "a closing `"}


def parse_filter(text: str) -> Expression:
    """The tree of a filter. Raises FilterError at the first character that cannot be understood."""
    if len(text) > LENGTH_AT_MOST:
        raise FilterError(text, LENGTH_AT_MOST, f"a filter has at most {LENGTH_AT_MOST} characters")
    return _Parser(text).parse()


def _tokens(text: str) -> list[Token]:
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            instead = MISTAKEN.get(text[at])
            raise FilterError(text, at, f"expected {instead} here" if instead else "this character means nothing here")
        kind = match.lastgroup or ""
        found = match.group()
        if kind == "word" and found.lower() in KEYWORDS:
            kind, found = "keyword", found.lower()
        if kind != "space":
            tokens.append(Token(kind, found, at))
        at = match.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0

    def parse(self) -> Expression:
        found = self._any_of(0)
        if self._now.kind != "end":
            raise self._expected("'and', 'or' or the end")
        return found

    @property
    def _now(self) -> Token:
        return self.tokens[self.position]

    def _expected(self, what: str) -> FilterError:
        return FilterError(self.text, self._now.at, f"expected {what}")

    def _take(self, *texts: str) -> bool:
        """Step over a keyword or mark if it is the next."""
        if self._now.kind in ("keyword", "mark") and self._now.text in texts:
            self.position += 1
            return True
        return False

    def _any_of(self, depth: int) -> Expression:
        terms = [self._all(depth)]
        while self._take("or"):
            terms.append(self._all(depth))
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))

    def _all(self, depth: int) -> Expression:
        terms = [self._term(depth)]
        while self._take("and"):
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else All(tuple(terms))

    def _term(self, depth: int) -> Expression:
        if depth >= DEPTH_AT_MOST:
            raise FilterError(self.text, self._now.at, f"nested more than {DEPTH_AT_MOST} deep")
        if self._take("not"):
            return Not(self._term(depth + 1))
        if self._take("("):
            found = self._any_of(depth + 1)
            if not self._take(")"):
                raise self._expected("')'")
            return found
        return self._comparison()

    def _comparison(self) -> Expression:
        field = self._now
        if field.kind not in ("word", "quoted"):
            raise self._expected("a field such as price, brand or category")
        self.position += 1
        name = field.text.strip("`")
        operator = self._now
        if operator.kind == "operator":
            self.position += 1
            if operator.text == "!=":
                return Not(Comparison(name, "==", (self._value(),), field.at))
            return Comparison(name, operator.text, (self._value(),), field.at)
        if self._take("contains"):
            return Comparison(name, "contains", (self._value(),), field.at)
        negated = self._take("not")
        if self._take("in"):
            among = Comparison(name, "in", self._values(), field.at)
            return Not(among) if negated else among
        raise self._expected("'in'" if negated else "==, !=, <, <=, >, >=, in or contains")

    def _values(self) -> tuple[Literal, ...]:
        if not self._take("["):
            raise self._expected("'[' and a list of values")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
            if len(values) > VALUES_AT_MOST:
                raise FilterError(self.text, self._now.at, f"a list has at most {VALUES_AT_MOST} values")
        if not self._take("]"):
            raise self._expected("',' or ']'")
        return tuple(values)

    def _value(self) -> Literal:
        token = self._now
        self.position += 1
        if token.kind == "string":
            return Literal(re.sub(r"\\(.)", r"\1", token.text[1:-1]), token.at)
        if token.kind == "number":
            return Literal(float(token.text), token.at)
        if token.kind == "keyword" and token.text in ("true", "false"):
            return Literal(token.text == "true", token.at)
        self.position -= 1
        if token.kind in ("word", "quoted"):
            raise self._expected(f'a value; a text needs quotes: "{token.text}"')
        raise self._expected('a value: "text", a number, true or false')
