"""Rust: env_logger and the text form of tracing's subscriber."""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import ISO, Layout, iso_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import Record
from adapter_logformat.severity import WORDS

_LEVEL: Final = r"(?P<level>TRACE|DEBUG|INFO|WARN|ERROR)"
_SPANS: Final = re.compile(r"(?:[A-Za-z_][\w.\- ]{0,100}+(?:\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*+\")*+\})?:)++ ")
_TARGET: Final = re.compile(
    r"(?P<target>[A-Za-z_]\w*+(?:::\w++)*+):(?: (?P<file>[\w./\-]{1,200}?\.rs):(?P<line>\d{1,9}+):)? "
)


def _tracing(record: Record, found: Mapping[str, str | None]) -> bool:
    """`span{field=1}:other: crate::module: message`: the target is the last word before the message."""
    text, at = record.body or "", 0
    spans = _SPANS.match(text)
    if spans is not None and (_TARGET.match(text, spans.end()) is not None):
        record.attributes["app.spans"] = spans[0][:-2]
        at = spans.end()
    target = _TARGET.match(text, at)
    if target is not None:
        record.attributes["otel.scope.name"] = target["target"]
        if target["file"] is not None:
            record.attributes["code.file.path"] = target["file"]
            record.attributes["code.line.number"] = int(target["line"])
        record.body = text[target.end() :]
    # Without any of these it may be another language's logger as well.
    return spans is not None or (target is not None and ("::" in target["target"] or target["file"] is not None))


LAYOUTS: Final = (
    Layout(
        name="rust_env_logger",
        title="Rust's env_logger",
        rank=84,
        pattern=rf"\[{ISO} {_LEVEL} {{1,2}}(?P<logger>[\w:.\-]++)(?:\(\d{{1,9}}+\))?\] (?P<body>.*)",
        sample="[2026-11-20T08:51:00Z INFO  shop::cart] added",
        scale=WORDS,
        fields={"logger": ("otel.scope.name", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="rust_tracing",
        title="Rust's tracing, as tracing-subscriber prints it",
        rank=82,
        pattern=rf"(?P<second>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{{1,9}}+))?"
        rf"(?P<zone>Z|[+-]\d\d:\d\d) {{1,2}}{_LEVEL}"
        r" (?:(?P<thread>ThreadId\(\d++\)) )?(?=[^\[\-(| ])(?P<body>.*)",
        sample="2026-11-20T08:51:00.123456Z  INFO request{id=7}: shop::cart: added item=7",
        scale=WORDS,
        fields={"thread": ("thread.name", str)},
        time=iso_time,
        rule=TEXT,
        finish=_tracing,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
