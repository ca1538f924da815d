"""The counted proof of a pod on the stage: what its app says it logged against what the log server holds."""

import json

from podmates.proof import Evidence, Written, parse_ledger, prove
from tests.containers.stage import Pod
from tests.containers.traffic import received

LEDGER = "/var/log/app/ledger.jsonl"  # beside the logs, under a name that no mate follows


def ledger(pod: Pod) -> list[Written]:
    """What the app says it has logged."""
    return parse_ledger((pod.stage.volume(f"{pod.name}-logs") / "ledger.jsonl").read_text())


def proof(pod: Pod, log_server: Pod, requests_made: int, *, no_database: bool = False) -> None:
    """AssertionError with the whole count when an event is missing, doubled, strange or read wrongly.

    Where there is `no_database`, every query fails, and that is no fault of the pod's.
    """
    (stopped,) = [json.loads(line) for line in pod.log("app").splitlines() if '"stopped"' in line]
    counted = prove(
        Evidence(
            requests_made=requests_made,
            requests_failed=0,
            queries=stopped["queries"],
            queries_failed=0 if no_database else stopped["queries_failed"],
            sessions_replaced=stopped["sessions_replaced"],
            written=ledger(pod),
            records=received(log_server, pod),
            app_pids=[1],
        )
    )
    assert counted.holds, (counted.rows, [claim for claim in counted.claims if not claim.holds], counted.examples)
