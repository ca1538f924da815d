"""An outage is told once when it begins, once when its reason changes, and once when it is over."""

from sidecar_logshipper.outage import Outage, Recovery


def test_a_story() -> None:
    outage = Outage()
    assert outage.ended(0.0) is None
    assert outage.failed("connection_refused", 1.0)
    assert not outage.failed("connection_refused", 2.0)
    assert outage.is_on
    assert outage.failed("http_503", 3.0)
    assert outage.failed_tries == 3
    assert outage.ended(5.0) == Recovery(seconds=4.0, failed_tries=3)
    assert not outage.is_on
    assert outage.ended(6.0) is None
    assert outage.failed("http_503", 7.0)
