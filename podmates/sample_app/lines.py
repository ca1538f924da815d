"""The log lines of the sample app, as text: an access log, a JSON log, and two kinds of stack traces.

Pure: time and identities come from the caller. Where the lines go is left to `event_log`.
"""

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

# The frames that a Java service prints below its exception; `{id}` is the number of the order.
_JAVA_FRAMES = """\
java.lang.IllegalStateException: order {id} has no tax rate
\tat com.example.billing.TaxTable.rateFor(TaxTable.java:41)
\tat com.example.billing.InvoiceService.price(InvoiceService.java:88)
\tat com.example.billing.InvoiceService.create(InvoiceService.java:52)
\tat com.example.billing.InvoiceEndpoint.lambda$post$0(InvoiceEndpoint.java:31)
\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: java.util.NoSuchElementException: no row for country 'XX'
\tat java.base/java.util.Optional.orElseThrow(Optional.java:403)
\tat com.example.billing.TaxTable.rateFor(TaxTable.java:39)
\t... 5 more"""


@dataclass(frozen=True)
class Access:
    """One answered request, as a web server knows it."""

    client: str
    method: str
    target: str
    version: str
    status: int
    size: int
    referer: str
    user_agent: str


def combined(access: Access, now: datetime) -> str:
    """A line in the combined log format. `now` carries its zone."""
    request = f"{access.method} {_quoted(access.target)} {access.version}"
    referer, user_agent = _quoted(access.referer) or "-", _quoted(access.user_agent) or "-"
    stamp = now.strftime("%d/%b/%Y:%H:%M:%S %z")
    return f'{access.client} - - [{stamp}] "{request}" {access.status} {access.size or "-"} "{referer}" "{user_agent}"'


def json_line(now: datetime, level: str, message: str, members: Mapping[str, object]) -> str:
    """A line of a JSON log."""
    stamp = now.isoformat(timespec="milliseconds")
    return json.dumps({"time": stamp, "level": level, "msg": message, **members}, separators=(",", ":"))


def python_trace(now: datetime, logger: str, message: str, error: BaseException) -> str:
    """What Python's logging writes for `logger.exception(message)` while handling `error`."""
    stamp = now.strftime("%Y-%m-%d %H:%M:%S,") + f"{now.microsecond // 1000:03d}"
    trace = "".join(traceback.format_exception(error)).rstrip("\n")
    return f"{stamp} ERROR {logger}: {message}\n{trace}"


def java_trace(now: datetime, message: str, order: int) -> str:
    """What logback writes for an error with its exception."""
    stamp = now.strftime("%Y-%m-%d %H:%M:%S.") + f"{now.microsecond // 1000:03d}"
    head = f"{stamp} ERROR [http-worker-{order % 4}] com.example.billing.InvoiceEndpoint - {message}"
    return f"{head}\n{_JAVA_FRAMES.format(id=order)}"


def _quoted(text: str) -> str:
    # A quote or control character from a client must not be able to write a field, or a line, of its own.
    return "".join(
        c if c.isprintable() and c not in '"\\' else "".join(f"\\x{b:02X}" for b in c.encode()) for c in text
    )
