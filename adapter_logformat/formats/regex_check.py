"""May a pattern that somebody else wrote be run on lines that somebody else wrote? Pure; reads the pattern's text.

Python's `re` has no time-out, and a quantified group that holds a quantifier (`(a+)+`), or alternatives that begin
alike, can take time exponential in the line. Such patterns are refused; possessive quantifiers and atomic groups,
which never give back, are the way out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MANY: Final = 16
"""A quantifier that may repeat more often counts as endless."""
_TOKEN: Final = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|\[\^?\]?(?:\\.|[^\]\\])*+\]|\(\?#[^)]*+\)|\(\?"
    r"(?:P<[^>]*+>|P=[^)]*+\)|[:>=!]|<[=!]"
    r"|[aiLmsux-]*+:)|\(\?[aiLmsux]++\)|[()|]|\{\d*+,?\d*+\}[+?]?+|[*+?][+?]?+|.",
    re.DOTALL,
)
_QUANTIFIER: Final = re.compile(r"(?:([*+?])|\{(\d*+),?(\d*+)\})([+?]?+)")
_PROBES: Final = "".join(map(chr, range(256)))


@dataclass(slots=True)
class _Group:
    opening: str
    branches: list[list[str]] = field(default_factory=lambda: [[]])
    gives_back: bool = False
    """Holds an endless quantifier that may give back what it took."""


def objection(pattern: str) -> str | None:
    """Why `pattern` is refused, for the person who wrote it; `None` for one that is safe to run."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    stack = [_Group("")]
    closed: _Group | None = None
    for token in _TOKEN.findall(pattern):
        if _is_quantifier(token):
            endless, possessive = _endless(token)
            if endless and closed is not None and not possessive:
                if closed.gives_back and closed.opening != "(?>":
                    return f"repeats a group that itself repeats ({_text(closed)}…){token}; make one of them possessive"
                if _overlap(closed):
                    return f"repeats alternatives that may begin alike ({_text(closed)}…){token}; make it possessive"
            if endless and not possessive:
                stack[-1].gives_back = True
            closed = None
            continue
        closed = None
        if token.startswith("(") and not token.endswith(")"):
            stack[-1].branches[-1].append("(")
            stack.append(_Group(token))
        elif token == ")":
            closed = stack.pop()
            if closed.opening != "(?>" and closed.gives_back:
                stack[-1].gives_back = True
        elif token == "|":
            stack[-1].branches.append([])
        elif not token.startswith("(?"):
            stack[-1].branches[-1].append(token)
    return None


def _is_quantifier(token: str) -> bool:
    found = _QUANTIFIER.fullmatch(token)
    return found is not None and (found[1] is not None or bool(found[2] or found[3]))


def _endless(token: str) -> tuple[bool, bool]:
    found = _QUANTIFIER.fullmatch(token)
    if found is None:
        return False, False
    if found[1] is not None:
        endless = found[1] in "*+"
    else:
        most = found[3] if "," in token else found[2]
        endless = not most or int(most) > MANY
        endless = endless and not ("," not in token)
    return endless, found[4] == "+"


def _overlap(group: _Group) -> bool:
    """May one character begin two of the alternatives? What cannot be told counts as yes."""
    if len(group.branches) < 2:
        return False
    seen: set[str] = set()
    for branch in group.branches:
        begins = set(_begins(branch))
        if not begins or begins & seen:
            return True
        seen |= begins
    return False


def _begins(branch: list[str]) -> Iterator[str]:
    if branch and branch[0] != "(" and branch[0] not in ("^", "$", "\\b", "\\B", "\\A", "\\Z"):
        yield from re.findall(branch[0], _PROBES, re.DOTALL)


def _text(group: _Group) -> str:
    return (group.opening.lstrip("(") + "".join(group.branches[0]))[:20]
