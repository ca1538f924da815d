"""What each answer of a sink asks for, as a table."""

import pytest

from sidecar_logshipper.verdict import Action, of_credentials, of_failure, of_record, of_status, partial

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("statuses", "action"),
    [
        ((200, 201, 202, 204), Action.ACK),
        ((408, 425, 429, 500, 502, 503, 504, 599), Action.RETRY),
        ((401, 403, 407), Action.HOLD),
        ((301, 302, 308, 404, 405, 406, 411, 415), Action.HOLD),
        ((413,), Action.SPLIT),
        ((400, 409, 422, 431, 499), Action.BISECT),
    ],
)
def test_statuses(statuses: tuple[int, ...], action: Action) -> None:
    assert {of_status(status, None, NOW).action for status in statuses} == {action}


def test_the_reason_names_the_status() -> None:
    assert of_status(422, None, NOW).reason == "http_422"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("Fri, 15 Jan 2027 08:00:20 GMT", 20),
        ("Fri, 15 Jan 2027 07:59:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("1e9", 0),
        ("²", 0),
        ("999999999999999999999", 3600),
        ("Fri, 15 Jan 2099 08:00:00 GMT", 3600),
    ],
)
def test_retry_after_is_a_floor_within_reason(header: str | None, seconds: float) -> None:
    assert of_status(429, header, NOW).after == seconds
    assert of_status(503, header, NOW).after == seconds


def test_no_answer_is_tried_again_and_missing_credentials_hold() -> None:
    assert of_failure("timeout").action is Action.RETRY
    assert of_failure("timeout").reason == "timeout"
    assert of_credentials().action is Action.HOLD


@pytest.mark.parametrize(
    ("statuses", "action"),
    [
        ((200, 201, 299), None),
        ((408, 425, 429, 500, 503), Action.RETRY),
        ((301, 401, 403, 404), Action.HOLD),
        ((400, 409, 413, 422), Action.REFUSE),
    ],
)
def test_statuses_of_single_records(statuses: tuple[int, ...], action: Action | None) -> None:
    found = [of_record(status, "kind", "why") for status in statuses]
    assert {each.action if each else None for each in found} == {action}
    assert all(each is None or (each.reason, each.detail) == ("kind", "") for each in found)
    assert {each.answer for each in found if each} <= {"why" if action is Action.REFUSE else ""}


def test_nothing_to_say_about_any_record_is_an_acknowledgement() -> None:
    assert partial({}).action is Action.ACK
    refused = of_record(400, "kind")
    assert refused is not None
    assert (partial({3: refused}).action, partial({3: refused}).records) == (Action.PARTIAL, {3: refused})
