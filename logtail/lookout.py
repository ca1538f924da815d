"""Looking around: which files are there now, and what became of those that are followed? Or at some of them only.

What a file's condition means for its life is decided in `follow`; whether its content is still its own, `reader.holds`
tells.
"""

from collections.abc import Callable, Iterator

from logtail import reader
from logtail.arrivals import Arrivals
from logtail.copies import Copies
from logtail.discovery import Discovery, Find, Scan, find
from logtail.endings import Endings
from logtail.follow import Fact, State, may_delete, over
from logtail.life import Life
from logtail.names import find_name, has_name, look_without_name
from logtail.roll import Roll
from logtail.trouble import Trouble
from logtail.turns import Turns


class Lookout:
    def __init__(
        self,
        roll: Roll,
        arrivals: Arrivals,
        copies: Copies,
        turns: Turns,
        endings: Endings,
        trouble: Trouble,
        monotonic: Callable[[], float],
    ) -> None:
        self._roll = roll
        self._arrivals = arrivals
        self._copies = copies
        self._turns = turns
        self._endings = endings
        self._trouble = trouble
        self._monotonic = monotonic
        self.at = float("-inf")
        """When the last look or glance began."""
        self.took_s = 0.0
        self.empty_globs = 0
        self._restless: list[Life] = []
        """Those that were not settled at the last look."""
        self._dangling: set[str] = set()
        """Links that led nowhere at the last look. Told at the next, since a rotation makes the target anew."""

    def set_limits(self, discovery: Discovery, *, delete_after_ack: bool) -> None:
        """From the next look on; needed before the first."""
        self._discovery = discovery
        self._delete_after_ack = delete_after_ack

    def leave_out(self) -> None:
        """Let the files go that still have their names, which match no more."""
        scan = self._discovery.scan()
        self.tell_empty(scan)
        for life in list(self._roll.lives.values()):
            if life.state is State.FOLLOWING and life.key not in scan.finds and has_name(life.path, life.key):
                self._roll.tell("info", "file_left_out", path=life.path, offset=life.offset)
                self._endings.leave_out(life)
        for suspect in list(self._copies.suspects.values()):
            if suspect.key not in scan.finds and has_name(suspect.path, suspect.key):
                self._copies.drop(suspect.key)

    def tell_empty(self, scan: Scan) -> None:
        for pattern in scan.empty:
            self._roll.tell("warning", "glob_matches_nothing", pattern=pattern)

    def directories(self) -> list[str]:
        """Where a change would be of interest: all directories of the globs, and those that links lead into."""
        linked = {life.target.rpartition("/")[0] for life in self._roll.lives.values() if life.target}
        return [*self._discovery.directories(), *sorted(linked)]

    @property
    def is_calm(self) -> bool:
        """Nothing is expected that time alone brings."""
        # Of thousands of files only those of which something was learnt are asked; a dead one costs one look too many.
        return not self._copies.suspects and all(map(self._is_settled, self._eventful()))

    @property
    def is_in_doubt(self) -> bool:
        """There is a doubt that another look settles."""
        return any(life.doubted for life in self._eventful())

    def _eventful(self) -> Iterator[Life]:
        yield from self._restless
        yield from self._roll.queued_lately

    def _is_settled(self, life: Life) -> bool:
        to_be_deleted = self._delete_after_ack and life.path != life.source.path
        return life.state is State.FOLLOWING and life.settled and not (life.held or to_be_deleted)

    def glance(self, paths: set[str]) -> bool:
        """Look at the files with these names alone, and take the names out. False when one of them leads to no file
        that is followed by it: that takes a look."""
        now = self.at = self._monotonic()
        all_known = True
        while paths:
            path = paths.pop()
            life, seen = self._roll.at_path(path), find(path)
            if life is None or seen is None or seen.key != life.key:
                all_known = False
            else:
                self._roll.queued_lately.add(life)
                self._look_without_fail(life, seen, now)
                all_known = all_known and self._roll.lives.get(life.key) is life  # else it is to be met anew
        self.took_s = self._monotonic() - now
        return all_known

    def look(self) -> Scan:
        now = self.at = self._monotonic()
        self._roll.queued_lately = set(self._roll.queue)
        scan = self._discovery.scan()
        self.empty_globs = len(scan.empty)
        dangling = {path for path, word in scan.problems.items() if word == "dangling_link"}
        for path, word in scan.problems.items():
            if path not in dangling or path in self._dangling:
                self._roll.problem(path, word)
        self._dangling = dangling
        for life in list(self._roll.lives.values()):
            self._look_without_fail(life, scan.finds.get(life.key), now)
        followed, suspected = self._roll.lives, self._copies.suspects
        self._arrivals.meet([f for key, f in scan.finds.items() if key not in followed and key not in suspected], now)
        self._arrivals.judge_suspects(scan.finds, now)
        self._roll.keep_problems_of(
            lambda: {each.path for key, each in scan.finds.items() if key not in followed} | scan.problems.keys()
        )
        self._restless = [life for life in self._roll.lives.values() if not self._is_settled(life)]
        self.took_s = self._monotonic() - now
        return scan

    def _look_without_fail(self, life: Life, find: Find | None, now: float) -> None:
        try:
            self._look_at(life, find, now)
        except OSError as error:
            self._trouble.met(life, error)

    def _look_at(self, life: Life, find: Find | None, now: float) -> None:
        if not life.open:
            self._endings.close_when_safe(life)
            return
        if find is not None:
            size, mtime_ns = find.size, find.mtime_ns
            self._name(life, find.path)
        else:
            condition = look_without_name(self._roll, life)
            size, mtime_ns = condition.size, condition.mtime_ns
            self._unname(life, removed=not condition.linked)
        if size != life.raw_size or mtime_ns != life.mtime_ns or life.doubted:
            if life.undecided and life.offset == 0 and size > 0:
                nameless = Find(life.path, *life.key, size, mtime_ns)
                decide = self._arrivals.decide if find is not None else self._arrivals.decide_nameless
                if not decide(life, find or nameless, now):
                    return
            if life.settled or mtime_ns != life.mtime_ns:  # else it is looked at again, and need not have changed
                life.changed_at = now
            life.raw_size, life.mtime_ns = size, mtime_ns
            life.size = life.file.extent(size)
            self._check(life)
        elif life.held and self._turns.is_quiet(life):
            self._roll.enqueue(life)
        elif over(
            life.state,
            unread=int(life.queued or life.held),
            in_flight=life.acks.in_flight,
            quiet_s=now - life.changed_at,
        ):
            self._endings.end(life)
        elif self._delete_after_ack and may_delete(
            life.state,
            renamed=life.path != life.source.path and not life.target,
            unread=int(life.queued or life.held),
            in_flight=life.acks.in_flight,
            quiet_s=now - life.changed_at,
        ):
            life.to_delete = True
            self._endings.end(life)

    def _check(self, life: Life) -> None:
        """Is what was read still there, and is there more? A truncation is believed when two looks agree, since a
        network file system may show an old size for a moment."""
        if reader.holds(life.file, life.offset, life.frontier, life.head):
            life.doubted = False
            if life.size > life.offset:
                self._roll.enqueue(life)
            else:
                self._roll.nothing_to_read(life)
        elif life.doubted:
            self._arrivals.truncated(life, self._monotonic())
        else:
            self._turns.doubt(life)

    def _name(self, life: Life, path: str) -> None:
        life.learn(Fact.NAMED)
        life.file.kept = False
        if path != life.path:
            self._roll.counts["rotations"] += 1
            self._roll.tell("info", "file_rotated", path=life.path, now=path, offset=life.offset)
            self._roll.rename(life, path)

    def _unname(self, life: Life, *, removed: bool) -> None:
        before = life.state
        life.learn(Fact.REMOVED if removed else Fact.RENAMED)
        life.file.kept = removed
        if before is State.FOLLOWING and life.state is not before:
            self._roll.counts["rotations"] += 1
            path = life.path
            now = None if removed else find_name(self._roll, life)
            self._roll.tell("info", "file_rotated", path=path, now=now, removed=removed, offset=life.offset)
