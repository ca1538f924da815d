"""What a PromQL expression asks for: its metrics with their matchers, and the labels it groups by.

It reads tokens and knows no grammar: that an expression is well formed is for promtool to say.
"""

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'[^']*') | (?P<number>\d[\w.]*) | (?P<name>[A-Za-z_:][\w:]*)
      | (?P<mark>!~|=~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],]) | (?P<space>\s+)""",
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "offset", "bool"}

Token = tuple[str, str]


@dataclass
class Asked:
    """`matchers` of each metric: label, operator, value."""

    matchers: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    grouping: set[str] = field(default_factory=set)


def asked(expression: str) -> Asked:
    """ValueError where there is something that no PromQL has."""
    tokens = _tokens(expression)
    found = Asked()
    at = 0
    while at < len(tokens) - 1:
        (kind, text), following = tokens[at], tokens[at + 1][1]
        at += 1
        if text in _GROUPING and following == "(":
            end = tokens.index(("mark", ")"), at)
            found.grouping |= {label for kind, label in tokens[at:end] if kind == "name"}
            at = end
        elif kind == "name" and following != "(" and text not in _WORDS | _GROUPING and not _is_aggregation(tokens, at):
            matchers = found.matchers.setdefault(text, [])
            if following == "{":
                end = tokens.index(("mark", "}"), at)
                matchers += _matchers(tokens[at + 1 : end])
                at = end
    return found


def _is_aggregation(tokens: list[Token], at: int) -> bool:
    """As in `sum by (pod) (…)`."""
    return tokens[at][1] in {"by", "without"}


def _matchers(tokens: list[Token]) -> list[tuple[str, str, str]]:
    plain = [text for _, text in tokens if text != ","]
    return [(label, how, value[1:-1]) for label, how, value in zip(plain[::3], plain[1::3], plain[2::3], strict=True)]


def _tokens(expression: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise ValueError(f"{expression[at : at + 20]!r} is no PromQL")
        if match.lastgroup and match.lastgroup != "space":
            tokens.append((match.lastgroup, match[0]))
        at = match.end()
    return [*tokens, ("end", "")]
