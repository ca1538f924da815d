"""The peers that parse lines into JSON: how each is set up for an access log, JSON lines and a Java log with traces.

rsyslog and syslog-ng parse into strings and write a file; Fluent Bit and Vector post to the counting log server, types
and time converted. rsyslog and syslog-ng join no stack traces here, so they have no Java setup.
"""

import json

from benchmarks.http_peers import FLUENT_BIT_ARGUMENTS, VECTOR_ARGUMENTS
from benchmarks.shipping_peers import RSYSLOG_ARGUMENTS, SYSLOG_NG_ARGUMENTS, Setup

_RSYSLOG = """\
module(load="imfile" mode="inotify")
module(load="{module}")
global(workDirectory="{directory}" maxMessageSize="64k")
template(name="json" type="string" string="%$!all-json%\\n")
ruleset(name="out" queue.type="direct") {
  action({action})
  action(type="omfile" file="{directory}/out.txt" template="json" ioBufferSize="256k")
}
input(type="imfile" file="{directory}/log/*.log" tag="app" ruleset="out" addMetadata="off")
"""
# liblognorm's rule for nginx's combined format.
_ACCESS_RULE = (
    'rule="rule=:%client:word% %ident:word% %user:word% [%time:char-to:]%] \\"%method:word% %path:word% '
    'HTTP/%version:char-to:\\"%\\" %status:number% %size:number% \\"%referer:char-to:\\"%\\" '
    '\\"%agent:char-to:\\"%\\""'
)
RSYSLOG_ACTIONS = {
    "access": ("mmnormalize", f'type="mmnormalize" {_ACCESS_RULE}'),
    "json": ("mmjsonparse", 'type="mmjsonparse" cookie=""'),
}
_SYSLOG_NG = """\
@version: 3.38
options { threaded(yes); log-msg-size(65536); stats-level(0); keep-timestamp(no); use-dns(no); };
source in {
  file("{directory}/log/app.log" flags(no-parse, no-hostname) follow-freq(0.1) log-fetch-limit(10000)
    log-iw-size(100000));
};
parser parsed { {parser} };
destination out {
  file("{directory}/out.txt" template("$(format-json {pairs})\\n") log-fifo-size(200000) flush-lines(10000));
};
log { source(in); parser(parsed); destination(out); flags(flow-control); };
"""
SYSLOG_NG_PARSERS = {
    "access": (
        'csv-parser(columns("a.client", "a.ident", "a.user", "a.time", "a.request", "a.status", "a.size", '
        '"a.referer", "a.agent") flags(escape-double-char, strip-whitespace) delimiters(" ") '
        "quote-pairs('\"\"[]'));",
        "--key a.* --shift-levels 1",
    ),
    "json": ('json-parser(prefix(".j."));', "--key .j.* --shift-levels 2"),
}
_ACCESS_REGEX = (
    r'^(?<client>[^ ]*) [^ ]* (?<user>[^ ]*) \[(?<time>[^\]]*)\] "(?<method>\S+)(?: +(?<path>[^\"]*?)(?: +\S*)?)?" '
    r'(?<status>[^ ]*) (?<size>[^ ]*) "(?<referer>[^\"]*)" "(?<agent>[^\"]*)"$'
)
_JAVA_REGEX = r"^(?<time>\S+ \S+) +(?<level>\S+) (?<pid>\d+) --- \[(?<thread>[^\]]*)\] (?<logger>\S+) +: (?<message>.*)"
_FLUENT_BIT_PARSERS: dict[str, dict[str, object]] = {
    "access": {
        "format": "regex",
        "regex": _ACCESS_REGEX,
        "time_key": "time",
        "time_format": "%d/%b/%Y:%H:%M:%S %z",
        "types": "status:integer size:integer",
    },
    "json": {"format": "json", "time_key": "time", "time_format": "%Y-%m-%dT%H:%M:%S.%LZ"},
    "java": {
        "format": "regex",
        "regex": _JAVA_REGEX,
        "time_key": "time",
        "time_format": "%Y-%m-%d %H:%M:%S.%L",
        "types": "pid:integer",
    },
}
_VECTOR_SCRIPTS = {
    "access": '. = parse_nginx_log!(.message, format: "combined")',
    "json": '. = parse_json!(.message)\n.time = parse_timestamp!(.time, format: "%+")',
    "java": (
        f". |= parse_regex!(.message, r'(?s){_JAVA_REGEX}')\n.pid = to_int!(.pid)\n"
        '.time = parse_timestamp!(.time, format: "%F %T%.3f")'
    ),
}


def parsing_setups() -> list[Setup]:
    """For each kind of workload."""
    setups = []
    for kind in ("access", "json", "java"):
        if kind in RSYSLOG_ACTIONS:
            setups += [_rsyslog(kind), _syslog_ng(kind)]
        setups += [_fluent_bit(kind), _vector(kind)]
    return setups


def _rsyslog(kind: str) -> Setup:
    module, action = RSYSLOG_ACTIONS[kind]
    text = _RSYSLOG.replace("{module}", module).replace("{action}", action)
    return Setup("rsyslog", module, text, "rsyslog.conf", RSYSLOG_ARGUMENTS, (kind,))


def _syslog_ng(kind: str) -> Setup:
    parser, pairs = SYSLOG_NG_PARSERS[kind]
    text = _SYSLOG_NG.replace("{parser}", parser).replace("{pairs}", pairs)
    return Setup("syslog-ng", parser.partition("(")[0], text, "syslog-ng.conf", SYSLOG_NG_ARGUMENTS, (kind,))


def _fluent_bit(kind: str) -> Setup:
    tail: dict[str, object] = {
        "name": "tail",
        "path": "{directory}/log/*.log",
        "read_from_head": True,
        "refresh_interval": 1,
        "db": "{directory}/position.db",
        "buffer_chunk_size": "256kb",
        "buffer_max_size": "1mb",
        "mem_buf_limit": "16mb",
    }
    parse = {"name": "parser", "match": "*", "key_name": "log", "parser": "lines", "reserve_data": False}
    # The built-in rule for Java leaves the line with the error apart from its trace.
    tail |= {"multiline.parser": "traces"} if kind == "java" else {"parser": "lines"}
    rules = [
        {"state": "start_state", "regex": r"/^\d{4}-\d\d-\d\d /", "next_state": "trace"},
        {"state": "trace", "regex": r"/^(?!\d{4}-\d\d-\d\d )/", "next_state": "trace"},
    ]
    traces = {"name": "traces", "type": "regex", "flush_timeout": 1000, "rules": rules}
    http = {
        "name": "http",
        "match": "*",
        "host": "127.0.0.1",
        "port": "{port}",
        "format": "json_lines",
        "json_date_format": "iso8601",
        "workers": 1,
    }
    content = {
        "service": {"flush": 0.2, "log_level": "warn"},
        "parsers": [{"name": "lines"} | _FLUENT_BIT_PARSERS[kind]],
        "multiline_parsers": [traces] if kind == "java" else [],
        "pipeline": {"inputs": [tail], "filters": [parse] if kind == "java" else [], "outputs": [http]},
    }
    text = json.dumps(content, indent=1).replace('"{port}"', "{port}")
    return Setup("Fluent Bit", "best", text, "fluent-bit.yaml", FLUENT_BIT_ARGUMENTS, (kind,), posts=True)


def _vector(kind: str) -> Setup:
    source: dict[str, object] = {
        "type": "file",
        "include": ["{directory}/log/*.log"],
        "read_from": "beginning",
        "glob_minimum_cooldown_ms": 200,
        "max_read_bytes": 262144,
        "max_line_bytes": 1048576,
    }
    if kind == "java":
        source["multiline"] = {
            "start_pattern": r"^\d{4}-\d\d-\d\d ",
            "condition_pattern": r"^\d{4}-\d\d-\d\d ",
            "mode": "halt_before",
            "timeout_ms": 200,
        }
    content = {
        "data_dir": "{directory}",
        "sources": {"lines": source},
        "transforms": {"parsed": {"type": "remap", "inputs": ["lines"], "source": _VECTOR_SCRIPTS[kind]}},
        "sinks": {
            "out": {
                "type": "http",
                "inputs": ["parsed"],
                "uri": "http://127.0.0.1:{port}/",
                "framing": {"method": "newline_delimited"},
                "encoding": {"codec": "json"},
                "batch": {"max_bytes": 1048576, "timeout_secs": 0.2},
                "healthcheck": {"enabled": False},
            }
        },
    }
    return Setup("Vector", "best", json.dumps(content, indent=1), "vector.yaml", VECTOR_ARGUMENTS, (kind,), posts=True)
