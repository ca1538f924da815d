"""What a sink says about a line may quote it; what is logged may not. Pure."""

import re

MOST_WORDS = 200
_WORD = re.compile(r"[^\s\"'`\[\]{}()<>,;:=]{3,}")


def veiled(said: str, line: bytes) -> str:
    """The beginning of `said`; an ellipsis for every word of three letters or more that is in `line` too."""
    own = set(_WORD.findall(line.decode("utf-8", "replace")))
    return _WORD.sub(lambda word: "…" if word[0] in own else word[0], said[:MOST_WORDS])
