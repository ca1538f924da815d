"""The verdict: it holds for a run where everything arrived once and was read right, and for no other."""

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from podmates.proof import Evidence, Written, events_in, parse_ledger, prove

ACCESS = Written("evt-a1-access-000001", "access", "", {"http.response.status_code": 200, "url.path": "/orders/1"})
JSON = Written("evt-b2-json-000001", "json", "", {"severity_number": 9})
JAVA = Written("evt-b2-java-000002", "java", "\t... 5 more", {"exception.type": "java.lang.Error"})
WRITTEN = [ACCESS, JSON, JAVA]


def record(written: Written, **others: object) -> bytes:
    facts = dict(written.facts)
    number = {"severity_number": facts.pop("severity_number")} if "severity_number" in facts else {}
    body = f"something happened ({written.event})\n{written.last_line}"
    return json.dumps({"timestamp": "…", "body": body, "attributes": facts, **number, **others}).encode()


RECORDS = [record(written) for written in WRITTEN]


def evidence(records: Iterable[bytes] = RECORDS, **changes: object) -> Evidence:
    good = Evidence(
        requests_made=1,
        requests_failed=0,
        queries=9,
        queries_failed=0,
        sessions_replaced=4,
        written=WRITTEN,
        records=list(records),
        log_server_kills=1,
        app_pids=[7, 7, 7],
    )
    return replace(good, **changes)  # type: ignore[arg-type]


def broken_claims(of: Evidence) -> list[str]:
    return [claim.text for claim in prove(of).claims if not claim.holds]


def test_a_run_in_which_everything_arrived_once_is_proven() -> None:
    proof = prove(evidence())
    assert proof.holds
    assert proof.examples == []
    assert [(row.label, row.written, row.received, row.missing, row.doubled) for row in proof.rows] == [
        ("access log (combined)", 1, 1, 0, 0),
        ("app log (JSON lines)", 1, 1, 0, 0),
        ("stack traces (Python)", 0, 0, 0, 0),
        ("stack traces (Java)", 1, 1, 0, 0),
        ("all", 3, 3, 0, 0),
    ]


def test_a_missing_record_fails_it_and_is_named() -> None:
    proof = prove(evidence(RECORDS[:2]))
    assert [claim.text for claim in proof.claims if not claim.holds] == ["log events written = records received"]
    assert proof.examples == ["not received: evt-b2-java-000002"]
    assert proof.rows[-1].missing == 1


def test_a_doubled_record_fails_it_although_its_bytes_differ() -> None:
    again = record(ACCESS, observed_timestamp="a moment later")
    proof = prove(evidence([*RECORDS, again]))
    assert [claim.text for claim in proof.claims if not claim.holds] == ["duplicates"]
    assert proof.examples == ["received 2 times: evt-a1-access-000001"]


def test_a_doubled_record_does_not_make_up_for_a_missing_one() -> None:
    assert broken_claims(evidence([*RECORDS[:2], RECORDS[0]])) == [
        "log events written = records received",
        "duplicates",
    ]


@pytest.mark.parametrize(("kills", "broken"), [(1, []), (0, ["duplicates"])])
def test_what_was_sent_again_needs_an_outage_as_its_reason(kills: int, broken: list[str]) -> None:
    assert broken_claims(evidence(sent_again=12, log_server_kills=kills)) == broken


def test_a_record_of_no_event_fails_it() -> None:
    stray = b'{"body": "\\tat com.example.Torn.apart(Torn.java:1)"}'
    assert broken_claims(evidence([*RECORDS, stray])) == ["records that are no event of the app"]


def test_a_record_of_an_event_that_was_never_logged_fails_it() -> None:
    invented = record(replace(JSON, event="evt-b2-json-000009"))
    assert broken_claims(evidence([*RECORDS, invented])) == ["records that are no event of the app"]


def test_events_without_an_identity_are_held_against_records_without_one_by_number() -> None:
    guest = Written(None, "access", "", {})
    assert broken_claims(evidence([*RECORDS, b'{"body": "a guest"}'], written=[*WRITTEN, guest])) == []
    assert broken_claims(evidence(written=[*WRITTEN, guest])) == ["records that are no event of the app"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (record(replace(ACCESS, facts={**ACCESS.facts, "url.path": "/"})), "url.path is '/' instead of '/orders/1'"),
        (record(replace(ACCESS, facts={"url.path": "/orders/1"})), "http.response.status_code is None instead of 200"),
    ],
    ids=["another value", "no value"],
)
def test_a_field_that_was_read_wrongly_fails_it(wrong: bytes, said: str) -> None:
    proof = prove(evidence([wrong, *RECORDS[1:]]))
    assert [claim.text for claim in proof.claims if not claim.holds] == ["records with a field read wrongly"]
    assert proof.examples == [f"read wrongly: evt-a1-access-000001: {said}"]


def test_a_stack_trace_must_be_whole() -> None:
    assert broken_claims(evidence([*RECORDS[:2], record(replace(JAVA, last_line="\tat com."))])) == [
        "records with a field read wrongly"
    ]


def test_two_events_in_one_record_are_lines_joined_wrongly() -> None:
    joined = record(JSON, also=ACCESS.event)
    assert events_in(joined) == [JSON.event, ACCESS.event]
    assert broken_claims(evidence([joined, *RECORDS[::2]])) == ["records with a field read wrongly"]


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"requests_made": 2}, "requests made = access events logged"),
        ({"requests_failed": 1}, "requests answered wrongly"),
        ({"queries_failed": 1}, "queries failed"),
        ({"queries": 0}, "queries failed"),
        ({"app_pids": [7, 8]}, "the app was never restarted"),
        ({"app_pids": []}, "the app was never restarted"),
    ],
)
def test_each_count_has_its_say(changes: dict[str, object], broken: str) -> None:
    assert broken_claims(evidence(**changes)) == [broken]


def test_a_run_in_which_nothing_happened_proves_nothing() -> None:
    assert not prove(evidence([], written=[], requests_made=0)).holds


def test_the_ledger_is_read_without_the_line_that_is_being_written() -> None:
    line = '{"event": "evt-b2-json-000001", "kind": "json", "last_line": "", "facts": {"severity_number": 9}}\n'
    assert parse_ledger(line + line[:20]) == [JSON]
