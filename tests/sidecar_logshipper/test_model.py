"""Everything that can happen to log files, to the sink and to the shipper, in any order, against a model.

hypothesis chooses the order. Each example is one World: a real process, a real HTTP server, real files; at its end all
is mended, and what must arrive has arrived. `make soak` runs more and longer examples.

The cases of the promise, by number, and where each is held by name:
1 a rotated file is kept to its end         tests/logtail/test_tail.test_case_01…
2 an inode used again                       tests/logtail/test_tail.test_case_02…
3 copytruncate                              tests/logtail/test_tail.test_case_03…
4 only the acknowledged prefix is committed tests/logtail/test_tail.test_case_04…
5 a checkpoint that cannot be used          test_bad_input.test_case_05…
6 SIGTERM loses no tail                     test_drain.test_case_06…
7 a poison record                           test_shipping.test_case_07…
8 retries for ever, holds on 401            test_shipping.test_case_08…
9 an over-long line                         test_bad_input.test_case_09…
10 no final newline                         tests/logtail/test_tail.test_case_10…
11 compressed rotations                     tests/logtail/test_decoded.test_case_11…
12 FIFO, directory, unreadable              test_bad_input.test_case_12…
13 links                                    tests/logtail/test_tail.test_case_13…
14 ESTALE, EIO, a shrink confirmed          tests/logtail/test_opened.test_case_14…
"""

import os
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from .world import World

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "8"))
STEPS = int(os.environ.get("MODEL_STEPS", "25"))
NAMES = st.sampled_from(["a.log", "b.log"])
MOODS = st.sampled_from(["ok", "ok", "slow", "429", "500", "down"])


class Pod(RuleBasedStateMachine):
    @initialize(covers_rotated=st.booleans())
    def begin(self, covers_rotated: bool) -> None:
        self.place = tempfile.TemporaryDirectory(prefix="podmates-model-")
        self.world = World(Path(self.place.name), covers_rotated=covers_rotated)
        self.world.start()

    @rule(name=NAMES, count=st.integers(1, 300))
    def write(self, name: str, count: int) -> None:
        self.world.write(self.world.file(name), count)

    @rule(name=NAMES)
    def write_half_a_line(self, name: str) -> None:
        self.world.write_half(self.world.file(name))

    @rule(name=NAMES)
    def write_a_poisonous_line(self, name: str) -> None:
        self.world.write(self.world.file(name), 1, poison=True)

    @rule(name=NAMES, times=st.sampled_from([1, 1, 3]))
    def rename(self, name: str, times: int) -> None:
        self.world.rename(name, times=times)

    @rule(data=st.data())
    def write_late_to_a_rotated_file(self, data: st.DataObject) -> None:
        late = [file for file in self.world.rotated if file.path is not None and file.seen]
        if late:
            self.world.write(data.draw(st.sampled_from(late)), 3)

    @rule(name=NAMES, regrow=st.booleans())
    def copytruncate(self, name: str, regrow: bool) -> None:
        self.world.copytruncate(name, regrow=regrow)

    @rule(name=NAMES, recreate=st.booleans())
    def delete(self, name: str, recreate: bool) -> None:
        if name in self.world.files:
            self.world.delete(name)
            if recreate:
                self.world.file(name)

    @rule()
    def retarget_the_link(self) -> None:
        self.world.retarget("link.log")

    @rule()
    def gzip_a_shipped_file(self) -> None:
        self.world.gzip_one()

    @rule(mood=MOODS)
    def change_the_sinks_mood(self, mood: str) -> None:
        self.world.server.set_mood(mood)

    @rule()
    @precondition(lambda self: self.world.is_up)
    def kill(self) -> None:
        self.world.kill()

    @rule()
    @precondition(lambda self: self.world.is_up)
    def terminate(self) -> None:
        may_leave_work = not self.world.is_calm
        assert self.world.stop() in ((0, 75) if may_leave_work else (0,))

    @rule()
    @precondition(lambda self: not self.world.is_up)
    def start(self) -> None:
        self.world.start()

    @rule()
    def scrape(self) -> None:
        self.world.check_ledger()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.settle()
            assert self.world.lost() == set()
            repeated = self.world.repeated_bytes()
            assert max(repeated.values(), default=0) <= self.world.window, repeated
            assert self.world.stop() == 0, self.world.state()
        finally:
            self.world.close()
            self.place.cleanup()


def test_whatever_happens_nothing_is_lost() -> None:
    run_state_machine_as_test(
        Pod,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize="MODEL_EXAMPLES" not in os.environ,
            database=None,
            # Shrinking would run hundreds of real processes; the failing example is short enough to read.
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.normal,
        ),
    )
