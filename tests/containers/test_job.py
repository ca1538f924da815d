"""The Job in real containers: its work ends, then its mate ends by itself, and every row has arrived."""

import json

from tests.containers.stage import Pod, Stage, until
from tests.containers.traffic import received


def test_a_job_completes_and_every_row_has_arrived(stage: Stage, log_server: Pod) -> None:
    (pod,) = stage.play("job.classic")
    states = lambda: {name: pod.state(name) for name in pod.containers}  # noqa: E731
    until(lambda: not any(state["Running"] for state in states().values()), "some container of the Job does not end")
    statuses = {name: state["ExitCode"] for name, state in states().items()}
    assert statuses == {"report": 0, "log-agent": 0}, "\n".join(map(pod.log, pod.containers))
    messages = [json.loads(record)["message"] for record in received(log_server, pod)]
    assert sorted(int(message.rpartition(" ")[2]) for message in messages) == list(range(1000))
