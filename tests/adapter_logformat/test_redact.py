"""What must not be stored is not stored: each detector, each action, on every path and in every profile."""

import json
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.profiles import PROFILES
from adapter_logformat.redact import DETECTORS, Redactor, Rule, luhn

NOW = 1_795_161_060_000_000_000
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
CARD = "4111 1111 1111 1111"


def redacted(text: object, *rules: Rule) -> object:
    line = json.dumps({"body": text}).encode() + b"\n"
    return json.loads(Redactor(rules, Counter())(line)).get("body")


@pytest.mark.parametrize(
    ("detector", "text", "expected"),
    [
        ("email", "from a.b+c@example.co.uk.", "from [email]."),
        ("email", "<bob@example.com>\nx@y.org", "<[email]>\n[email]"),
        ("email", "user@localhost @home a@b", "user@localhost @home a@b"),
        ("ipv4", "10.0.0.1:80 and 256.1.1.1, 1.2.3.4.5, v1.2.3.4", "[ipv4]:80 and 256.1.1.1, 1.2.3.4.5, v1.2.3.4"),
        ("ipv4", "\n1.2.3.4", "\n[ipv4]"),
        ("ipv6", "from 2001:db8::1, [::1]:80 at 08:51:00", "from [ipv6], [[ipv6]]:80 at 08:51:00"),
        ("ipv6", "std::vector and 00:11:22:33:44:55", "std::vector and 00:11:22:33:44:55"),
        ("card", f"paid with {CARD}.", "paid with [card]."),
        ("card", "4111-1111-1111-1111 4111111111111112", "[card] 4111111111111112"),
        ("card", 4111111111111111, "[card]"),
        ("card", 4111111111111112, 4111111111111112),
        ("bearer", "Authorization: Bearer abc.def-123==", "Authorization: [bearer]"),
        ("aws_key", "key AKIAIOSFODNN7EXAMPLE!", "key [aws_key]!"),
        ("aws_key", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "[aws_key]"),
        ("jwt", f"token={JWT};", "token=[jwt];"),
    ],
)
def test_detectors(detector: str, text: object, expected: object) -> None:
    assert redacted(text, Rule(detector)) == expected


def test_luhn_digits() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")


def test_actions() -> None:
    text = "a@b.org and a@b.org, c@d.org"
    assert redacted(text, Rule("email", "drop")) == " and , "
    assert redacted("a@b.org", Rule("email", "drop")) is None
    first, again, other = str(redacted(text, Rule("email", "hash", key=b"k" * 16))).replace(" and ", ", ").split(", ")
    assert first == again != other
    assert first.startswith("[email:")
    assert redacted("a@b.org", Rule("email", "hash", key=b"l" * 16)) != first


def test_own_patterns_see_the_text_and_not_its_json() -> None:
    assert redacted('say "psst"\nnow', Rule("quoted", pattern=r'"\w+"\n')) == "say [quoted]now"


def test_keys_are_text_too_and_stay_unique() -> None:
    line = b'{"attributes":{"app.a@b.org":1,"app.c@d.org":2},"log.format":"json"}\n'
    assert (
        Redactor([Rule("email")], Counter())(line) == b'{"attributes":{"[email]":1,"[email]_":2},"log.format":"json"}\n'
    )


def test_keys_that_become_alike_are_numbered() -> None:
    line = json.dumps({f"u{number}@b.org": number for number in range(300)}).encode() + b"\n"
    made = json.loads(Redactor([Rule("email")], Counter())(line))
    assert list(made.values()) == list(range(300))
    assert list(made)[:4] + list(made)[-1:] == ["[email]", "[email]_", "[email]_2", "[email]_3", "[email]_299"]


@pytest.mark.parametrize("profile", PROFILES)
def test_values_are_looked_at_however_deep_they_are(profile: str) -> None:
    deep = b'{"level":"info","msg":"m","a":' + b'[{"a":' * 400 + b'"bob@example.org"' + b"}]" * 400 + b"}\n"
    stream = Stream(Options(profile=profile))
    written = Redactor([Rule("email")], Counter())(stream.feed(deep, NOW) + stream.flush(NOW))
    assert b"[email]" in written
    assert b"bob" not in written


LINES = [
    f'203.0.113.7 - bob@example.com [20/Nov/2026:08:51:00 +0000] "GET /?mail=a@b.org HTTP/1.1" 200 12 "-" "{JWT}"',
    '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8"',
    '{"level":30,"time":1531171074631,"pid":1,"hostname":"w","msg":"hello a@b.org","card":4111111111111111}',
    '{"level":30,"time":1531171074631,"pid":1,"hostname":"w","msg":"hello"}',
    "2026-11-20 08:51:00.123 ERROR 1 --- [main] c.e.Demo : a@b.org failed",
    "java.io.IOException: a@b.org",
    f"paid by {CARD} from 10.0.0.1",
]
RULES = [Rule(name) for name in DETECTORS]


class Slow(Stream):
    def _fast_of(self, format: object) -> None:
        return None


@given(st.lists(st.sampled_from(LINES), max_size=30), st.sampled_from(["on_failure", "always"]))
def test_both_paths_give_the_same_bytes_and_neither_leaks(lines: list[str], keep: str) -> None:
    raw = "".join(line + "\n" for line in lines).encode()
    out = []
    for kind in (Stream, Slow):
        stream = kind(Options(keep_original=keep))  # type: ignore[arg-type]
        redact = Redactor(RULES, Counter())
        out.append(redact(stream.feed(raw, NOW)) + redact(stream.flush(NOW)))
    assert out[0] == out[1]
    for secret in (b"@b.org", b"@example.com", b"1111", b"203.0.113", b"10.0.0.1", b"eyJ"):
        assert secret not in out[0]


@pytest.mark.parametrize("profile", PROFILES)
def test_no_profile_leaks(profile: str) -> None:
    stream = Stream(Options(profile=profile, keep_original="always"))
    raw = "".join(line + "\n" for line in LINES).encode()
    counts: Counter[str] = Counter()
    out = Redactor(RULES, counts)(stream.feed(raw, NOW) + stream.flush(NOW))
    assert len([json.loads(line) for line in out.splitlines()]) == 5
    for secret in (b"@b.org", b"1111", b"203.0.113", b"eyJ"):
        assert secret not in out
    assert counts.keys() == {"email", "ipv4", "card", "jwt"}


@pytest.mark.parametrize("profile", PROFILES)
def test_only_what_this_program_made_itself_is_left_alone(profile: str) -> None:
    own = dict.fromkeys(["created", "version", "dataset", "timestamp", "trace_id", "parse.error"], "al@example.com")
    line = {"msg": "x", "level": "bob@example.com", "time": "2026-11-20T08:51:00Z", "user": own, **own}
    stream = Stream(Options(profile=profile))
    digits = Rule("digits", pattern=r"\d{2,}|otel")
    clean = stream.feed(json.dumps({"msg": "x", "level": "info", "time": line["time"]}).encode() + b"\n", NOW)
    assert Redactor([digits], Counter())(clean) == clean
    out = Redactor([Rule("email")], Counter())(stream.feed(json.dumps(line).encode() + b"\n", NOW) + stream.flush(NOW))
    assert out.count(b"[email]") >= 13
    assert b"@example" not in out


HOSTILE = ["a" * 10, "a@", "1.1.", "::", "1 1-", "Bearer ", "eyJa.", "AKIA", "a.a@a.a@", "0:", "é", '"\\', "@", "1"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("detector", DETECTORS)
def test_hostile_text_takes_linear_time(detector: str, text: str) -> None:
    redactor = Redactor([Rule(detector)], Counter())

    def took(size: int) -> float:
        """Seconds of processor time."""
        line = json.dumps({"body": text * (size // len(text))}).encode() + b"\n"
        began = time.process_time()
        redactor(line)
        return time.process_time() - began

    took(1000)
    assert any(took(1 << 20) < 0.5 for _ in range(5))
