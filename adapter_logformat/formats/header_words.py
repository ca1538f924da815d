"""What the words of a header may be: a level, a process, a place in the code, the name of a logger or of a thread.

Each looks so that no message begins with it; which of them stand where is `generic_header`'s. Pure.
"""

import re
from typing import Final

_UPPER: Final = (
    "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|CRIT|CRITICAL|FATAL|ALERT|EMERG|EMERGENCY|PANIC|SEVERE|VERBOSE"
    "|DBG|INF|WRN|FTL|TRC|FINE|FINER|FINEST|CONFIG|LOG|INFORMATION|FAILURE"
)
_MIXED: Final = "|".join(word for upper in _UPPER.split("|") for word in (upper, upper.lower(), upper.title()))
LEVEL: Final = re.compile(
    rf"[\[<(] {{0,8}}(?P<boxed>{_MIXED}) {{0,8}}[\]>)]:?|(?P<upper>{_UPPER})(?![\w.=/\-!?]):?|"
    rf"(?P<marked>{_MIXED}):(?=\s|\Z)"
)
NO_LEVEL: Final = re.compile(
    r"(?:LOG|CONFIG|NOTICE|ALERT|FAILURE|FINE)\b(?!:)|[A-Z]++(?:[,;]|\s*=|\s{2,}[\d.,]++(?:\s|\Z))"
)
"""Words that no time stands before: a title, a table's row, a setting."""
LETTER: Final = re.compile(r"\[(?P<letter>[TDIWEF])\](?=[ :\[])")
"""A level only directly behind a time."""
LETTERS: Final = {"T": "TRACE", "D": "DEBUG", "I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL"}
_SURE: Final = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|SEVERE"
BOXES_AND_LEVEL: Final = re.compile(
    rf"(?:\[(?!\d+/\d+\])[^\[\]\n]{{1,100}}\] ?){{1,3}}(?=(?:{_SURE}):? |\[(?:{_SURE})\])"
)
"""What is in brackets before a level where there is no time."""

NUMBER: Final = re.compile(
    r"[\[(](?:pid[ :=]?)?(?P<boxed>\d{1,10}+)(?:[:#/](?P<boxed2>\d{1,18}+))?[\])]:?|(?P<bare>\d{1,10}+)(?=[\s|])"
)
BOX: Final = re.compile(r"\[(?P<text>[^\[\]\n]{1,200}+)\]:?")
DOTTED: Final = re.compile(r"[A-Za-z_$][\w$\-]*+(?:(?:\.|::)[\w$\-]++)++")
NAMED: Final = re.compile(
    r"(?P<name>[A-Za-z_][\w.$/\-@]{0,200}+(?:::\w{1,100}+)*+(?:#[\w<>$]{1,100}+)?+)(?:\[(?P<pid>\d{1,10}+)\]|\("
    r"(?P<pid2>\d{1,10}+)\))?:(?=\s|\Z)"
)
DASHED: Final = re.compile(r"(?P<name>[A-Za-z_][\w$/\-@]*+(?:[.:][\w$/\-@]++)++(?: \*\d\d)?)(?= - )")
BETWEEN_DASHES: Final = re.compile(rf"(?P<name>[A-Za-z_][\w.$/\-]{{0,100}}+)(?= - \[?(?:{_UPPER})(?:\]| {{0,8}}- |:))")
"""A word that a level follows behind a dash."""
NUMBERS_FIRST: Final = re.compile(r" ?\| ?\d[\d.]*+ ?\|")
COLUMN: Final = re.compile(r"[\w.$:/\-]{1,100}+(?= ?\|)")

_SOURCE: Final = (
    "py|go|rs|[cm]?jsx?|[cm]?tsx?|java|kts?|scala|groovy|clj|cc?|cpp|cxx|hh?|hpp|mm?|swift|rb|php|p[lm]|lua|cs|fs|vb"
    "|exs?|erl|hs|dart|nim|cr|zig|jl|ml"
)
PLACE: Final = re.compile(
    rf"[\[({{]{{0,2}}(?P<file>[\w./\\\-+@]{{1,200}}\.(?:{_SOURCE})):(?P<line>\d{{1,7}}+)"
    r"(?::(?P<function>[A-Za-z_<][\w<>.~]{0,100}+)(?:\(\))?| in (?P<function2>[A-Za-z_<][\w<>.~]{0,100}+)(?=[\])}]))?"
    r"[\])}]{0,2}:?(?=[\s|]|\Z)"
)
_LINE_BEHIND: Final = re.compile(r"(?P<name>.+):(?P<line>\d{1,7})")

A_FILE: Final = (
    rf"(?:v\d++\.\d|[\w\-]++\.(?=[a-z\d]{{1,10}}+(?![\w.$\-]))(?:{_SOURCE}"
    r"|ya?ml|json|toml|xml|conf|cfg|ini|txt|log|csv|html?|css|sql|md|sh|bat|env|lock|pid|sock"
    r"|tar|t?gz|zip|jar|war|dll|so|pem|crt|key|db|sqlite|tmp|bak|pdf|png|jpe?g|service|properties)(?![\w.$\-]))"
)
"""What is named as a file or a version is, not as a logger."""
NOT_BEHIND: Final = (
    r"(?<!\.\d)(?<!\.(?:py|js|go|sh|rb|rs|ts|md))(?<!\.(?:yml|xml|log|txt|cfg|ini|csv|jar|zip|php|com|org|net))"
    r"(?<!\.(?:yaml|json|conf|toml|html))"
)
"""The same and hosts, asked behind a name: quicker, and enough where a colon follows."""
A_HOST: Final = (
    r"(?:www\.|(?:[\w\-]++\.)++(?:com|org|net|local|internal|lan)(?![\w.\-])"
    # Such an end may be a package's too: `com.example.io`.
    r"|(?!(?:com|org|net|io|de|fr|eu|uk)\.)(?:[\w\-]++\.){2,8}+"
    r"(?:io|dev|cloud|app|ai|co|me|tv|us|uk|eu|de|fr|nl|ch|at|es|it|pl|se|jp|cn|in|br|au|ca|info|tech|xyz)(?![\w.\-]))"
)
_NO_LOGGER: Final = re.compile(rf"{A_FILE}|{A_HOST}")
_COMPONENT: Final = re.compile(r"root|__\w+__|[A-Za-z]\w*(?:_\w+|[a-z][A-Z]\w*)")
_THROWN: Final = re.compile(r".*(?:Exception|Error|Throwable|Warning|Failure)")
_THREAD: Final = re.compile(
    r"main|MainThread|(?=.*\d).*(?:[Tt]hread|[Ee]xec|[Pp]ool|[Ww]orker|[Dd]ispatcher|[Ss]cheduler|[Ee]vent-?[Ll]oop).*"
)


def is_logger(name: str, after_level: bool) -> bool:
    """Names of modules and classes. A single word is one only behind a level, and if it is written as no word of a
    message is (`HttpServer`, `my_module`); `failed`, `Result`, `config.yaml` and what is thrown are not."""
    if _NO_LOGGER.match(name) or _THROWN.fullmatch(name):
        return False
    return DOTTED.fullmatch(name.partition("#")[0]) is not None or (
        after_level and _COMPONENT.fullmatch(name) is not None
    )


def is_thread(text: str) -> bool:
    """`main`, `http-nio-8080-exec-1`, `pool-2-thread-7`: names that only threads have."""
    return _THREAD.fullmatch(text) is not None


def name_and_line(text: str) -> tuple[str, int | None]:
    """`App:12` is a logger and the line it logged in."""
    found = _LINE_BEHIND.fullmatch(text)
    return (text, None) if found is None else (found["name"], int(found["line"]))
