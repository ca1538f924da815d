"""Which format a stream is in: at once for clear lines, sticky for doubtful ones, and changed when others take over."""

import pytest

from adapter_logformat.detect import SWITCH_AFTER, Detector
from adapter_logformat.formats import registry
from adapter_logformat.grammar import Layout
from adapter_logformat.timestamps import Times

ACCESS = '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /1 HTTP/1.1" 200 12 "-" "curl/8"'
ASCTIME = "2026-11-20 08:51:00,123 INFO Starting"
JSON = '{"level":"info","msg":"x"}'


def names(detector: Detector, *lines: str) -> list[str | None]:
    found = [detector.read(line, Times()) for line in lines]
    return [format_and_record[1].format if format_and_record else None for format_and_record in found]


def current(detector: Detector) -> str | None:
    return detector.current.name if detector.current else None


def test_the_first_line_that_any_format_reads_decides() -> None:
    detector = Detector()
    assert names(detector, "words", ACCESS) == [None, "combined"]
    assert current(detector) == "access"


def test_a_few_other_lines_are_read_but_change_nothing() -> None:
    detector = Detector()
    names(detector, ACCESS)
    assert names(detector, *[JSON] * (SWITCH_AFTER - 1), ACCESS, JSON) == ["json"] * (SWITCH_AFTER - 1) + [
        "combined",
        "json",
    ]
    assert current(detector) == "access"


def test_many_in_a_row_take_over() -> None:
    detector = Detector()
    names(detector, ACCESS, *[JSON] * SWITCH_AFTER)
    assert current(detector) == "json_app"


def test_specific_wins_over_generic_even_when_the_stream_began_generic() -> None:
    detector = Detector()
    assert names(detector, "a=1 b=2", "ERROR:root:a=1 b=2") == ["logfmt", "python_default"]


def test_only_the_allowed_formats_are_asked() -> None:
    assert names(Detector(["combined"]), JSON, ACCESS, "shop.example.com " + ACCESS) == [None, "combined", None]


def test_a_snapshot_goes_on_deciding_alike() -> None:
    first = Detector()
    names(first, ACCESS, *[JSON] * (SWITCH_AFTER - 1))
    second = Detector()
    second.restore(first.snapshot())
    assert current(second) == "access"
    names(second, JSON)
    assert current(second) == "json_app"


def test_what_syslog_carries_is_read_by_its_own_format_and_allowed_with_it() -> None:
    line = "Nov 20 08:51:00 web shop[7]: " + JSON
    assert names(Detector(), line) == ["json"]
    assert names(Detector(["syslog_rfc3164"]), line, JSON) == ["json", None]


def test_a_line_that_nobody_described_is_generic_and_a_described_one_is_never() -> None:
    detector = Detector()
    unknown = "20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579"
    known = "2026-11-20 08:51:00,123 [main] INFO  com.example.Demo - started"
    assert names(detector, unknown, known, unknown) == ["generic", "log4j", "generic"]
    assert current(detector) == "generic"


@pytest.mark.parametrize(
    ("first", "line", "name"),
    [
        (ASCTIME, "2026-11-20 08:51:00,125 INFO  [org.jboss.as] (MSC 1-1) WFLY started", "jboss"),
        (ASCTIME, "2026-11-20 08:51:00,123 INFO  [main] c.e.Demo (Demo.java:main(42)) - started", "log4j_location"),
        (ASCTIME, "2026-11-20 08:51:00,123 INFO [main] com.example.Demo: started", "log4j"),
        (ASCTIME, "2026-11-20T08:51:00.124+02:00 ERROR 123 --- [demo] [exec-1] c.e.Items : Could not", "spring_boot"),
        (ASCTIME, "2026-11-20T08:51:00.123456Z ERROR shop: src/main.rs:7: gone", "rust_tracing"),
        (ASCTIME, "[2026-11-20T08:51:00Z INFO  shop::cart] added", "rust_env_logger"),
        (ASCTIME, "2026-11-20 08:51:00.123 INFO  (qtp-12) [c:shop s:shard1] o.a.s.c.SolrCore started", "solr"),
        (ASCTIME, "2015-07-29 19:04:12,394 - INFO  [/10.0.0.1:3888:QuorumCnxManager$Listener@493] - Got", "zookeeper"),
        ("2026/11/20 08:51:00 starting", '2026/11/20 08:51:00 [error] 31#31: *7 open() "/srv/x" failed', "nginx_error"),
    ],
)
def test_a_loose_first_line_keeps_no_other_layout_from_being_read(first: str, line: str, name: str) -> None:
    detector = Detector()
    assert names(detector, first, *[line] * SWITCH_AFTER)[1:] == [name] * SWITCH_AFTER
    assert current(detector) == name


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        (r"(?P<day>\d\d) (?P<level>INFO|WARN(?:ING)?) (?P<body>.*)", "INFO|WARN(?:ING)?"),
        (r"[(|] \( (?P<level>INFO)", "INFO"),
        (r"(?:(?P<level>INFO) )?(?P<body>.*)", ""),
        (r"(?P<level>INFO)? (?P<body>.*)", ""),
        (r"(?P<level>INFO) (?P<body>.*)|(?P<other>.*)", ""),
        (r"(?P<pid>\d)?(?P<level>(?(pid)INFO|WARN))", ""),
        (r"(?P<body>.*)", ""),
    ],
)
def test_a_layout_needs_a_level_where_no_line_fits_without(pattern: str, needs: str) -> None:
    layout = Layout("own", "", 1, pattern, "", {}, {"pid": ("p", str), "day": ("d", str), "other": ("o", str)}, None)
    assert layout.format().needs == needs


def test_no_address_becomes_a_logger() -> None:
    for line in ("INFO:https://example.com/ fetched", "ERROR:C:\\shop\\cart: no such file"):
        found = Detector().read(line, Times())
        assert found is None or "otel.scope.name" not in found[1].attributes


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('@400000006a15f5a62aa21dac 192.0.2.7 - - [20/Nov/2026:08:51:00 +0000] "GET / HTTP/1.1" 200 5', "common"),
        ("2026-11-20 08:51:00 202611200851 3 rows", "generic"),
        ("[2026-11-20 08:51:00][info][task] job done", "generic"),
        ("2026-11-20T08:51:00Z  12 Error  something failed", "generic"),
        ("2026-11-20T08:51:00Z  7 Time  is up", "generic"),
        ("2026-11-20T08:51:00Z  7 Query  is slow", "generic"),
        ("2026-11-20 08:51:00 job [7] finished ERROR:  x", "generic"),
    ],
)
def test_a_look_alike_is_of_no_such_format_even_in_a_file_of_it(line: str, name: str) -> None:
    headers = (
        '192.0.2.7 - - [20/Nov/2026:08:51:00 +0000] "GET / HTTP/1.1" 200 5',
        "2026-11-20 08:51:00.123 7f26c2813700  1 mon.a@0(leader).log v15",
        "[0.627s][info][gc] GC(0) Pause Young",
        "2026-11-20T08:51:00.123456Z\t    7 Query\tSELECT 1",
        "2026-11-20 08:51:00 UTC [7] bob@shop LOG:  x",
    )
    for header in headers:
        detector = Detector()
        assert detector.read(header, Times()) is not None
        found = detector.read(line, Times())
        assert found is not None
        assert found[1].format == name
        assert found[1].attributes.get("client.address") in (None, "192.0.2.7")


def test_directives_of_a_stream_change_its_columns_in_mid_file() -> None:
    detector, times = Detector(), Times()
    found = [
        detector.read(line, times)
        for line in (
            "#Fields: date time c-ip sc-status",
            "2026-11-20 08:51:00 192.0.2.1 200",
            "#Fields: date time sc-status c-ip",
            "2026-11-20 08:51:01 404 192.0.2.2",
            "2026-11-20 08:51:02 404 192.0.2.2 one too many",
        )
    ]
    told = [record[1].attributes.get("client.address") for record in found if record and record[1].format == "w3c"]
    assert told == [None, "192.0.2.1", None, "192.0.2.2"]


def test_every_format_wins_its_own_sample_from_a_fresh_stream() -> None:
    for family in registry.FAMILIES:
        for format in registry.load(family):
            found = Detector().read(format.sample, Times())
            assert found is not None, format.name
            assert found[0].name == format.name
