"""Who is followed now, whose turn it is to be read, who is remembered, and what there is to tell. Values only, pure.

Shared by `follower`, which keeps it up to date, and `arrivals`, which adds to it.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Literal

from logtail.checkpoint import Entry
from logtail.chunk import Chunk
from logtail.follow import State
from logtail.life import Key, Life
from logtail.memory import Memory, entry

Happening = tuple[Literal["info", "warning", "error"], str, dict[str, Any]]


class Roll:
    def __init__(self) -> None:
        self.lives: dict[Key, Life] = {}
        """Those with an open file."""
        self.by_generation: dict[str, Life] = {}
        """Those, and the truncated ones of which something is in flight."""
        self.begun: set[Life] = set()
        """Those of which something was read."""
        self.memory = Memory([])
        self.queue: deque[Life] = deque()
        """Those that may have a whole line to read, in turn."""
        self.queued_lately: set[Life] = set()
        """Those that are in it, or were since the last look at all files."""
        self.ended: deque[Chunk] = deque()
        """Final chunks to hand out before anything else."""
        self.touched: set[Life] = set()
        """Those of which the memory is not up to date."""
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._by_path: dict[str, Life] = {}
        self._troubles: dict[str | Life, str] = {}
        """Of files that are followed, whatever has their paths by now, and of paths where none is."""
        self._happenings: list[Happening] = []

    def add(self, life: Life) -> None:
        """It takes the place of the one that has its file, if any."""
        if (known := self.lives.get(life.key)) is not None:
            self.remove(known)
        earlier = self._by_path.get(life.path)
        life.after = earlier if earlier is not None and self.lives.get(earlier.key) is earlier else None
        self._by_path[life.path] = self._by_path[life.source.path] = life
        self.lives[life.key] = life
        self.by_generation[life.source.generation] = life
        self.touched.add(life)
        if life.offset > 0:
            self.begun.add(life)
        if life.size > life.offset:
            self.enqueue(life)

    def remove(self, life: Life) -> None:
        self.dequeue(life)
        self.touched.discard(life)
        self.begun.discard(life)
        del self.lives[life.key]
        self.by_generation.pop(life.source.generation, None)
        for path in (life.path, life.source.path):
            if self._by_path.get(path) is life:
                del self._by_path[path]

    def at_path(self, path: str) -> Life | None:
        """The followed file whose matching name this is, as far as the last look could tell."""
        life = self._by_path.get(path)
        return life if life is not None and life.path == path and life.state is State.FOLLOWING else None

    def forget(self, life: Life) -> None:
        """As if it had never been met."""
        self.remove(life)
        self.memory.forget_key(life.key)

    def rename(self, life: Life, path: str) -> None:
        if self._by_path.get(life.path) is life and life.path != life.source.path:
            del self._by_path[life.path]
        life.path = life.file.path = path
        self._by_path[path] = life
        self.touched.add(life)

    def enqueue(self, life: Life) -> None:
        if not life.queued:
            life.queued = True
            self.queue.append(life)
            self.queued_lately.add(life)

    def dequeue(self, life: Life) -> None:
        if life.queued:
            life.queued = False
            self.queue.remove(life)

    def remember(self, life: Life, *, finished: bool = False) -> None:
        """Keep what was acknowledged of it beyond its end, or for the next start."""
        self.memory.keep(_entry(life, finished=finished))

    def remember_touched(self) -> list[Entry]:
        """Bring the memory up to date with the lives; the entries that changed."""
        changed = [_entry(life) for life in self.touched if self.lives.get(life.key) is life]
        self.touched.clear()
        for each in changed:
            self.memory.keep(each)
        return changed

    def tell(self, level: Literal["info", "warning", "error"], event: str, **facts: Any) -> None:
        self._happenings.append((level, event, facts))

    def told(self) -> list[Happening]:
        """What is to be logged since the last call."""
        told, self._happenings = self._happenings, []
        return told

    def problem(self, of: str | Life, word: str, why: str | None = None) -> None:
        """A file that cannot be followed, or read: told once, until it is another problem or none."""
        if self._troubles.get(of) != word:
            self._troubles[of] = word
            self.errors[word] += 1
            path = of if isinstance(of, str) else of.path
            more = {} if why is None else {"why": why}
            self.tell("warning", "file_not_followed", path=path, reason=word, **more)

    def no_problem(self, life: Life) -> None:
        self._troubles.pop(life, None)

    def nothing_to_read(self, life: Life) -> None:
        """It can be looked at again, and shows nothing new. Of a damaged file that means nothing."""
        if self._troubles.get(life) == "read_failed":
            del self._troubles[life]

    def keep_problems_of(self, there: Callable[[], set[str]]) -> None:
        """A problem ends with its file: only those of files that are followed, or `there` and are not, go on."""
        if self._troubles:  # else nobody is to be asked
            for ended in self._troubles.keys() - there() - set(self.lives.values()):
                del self._troubles[ended]

    def in_trouble(self) -> dict[str, int]:
        """Files with a problem now, by kind. From any thread."""
        return dict(Counter(list(self._troubles.values())))


def _entry(life: Life, *, finished: bool = False) -> Entry:
    return entry(life.safe_identity(), life.source.generation, life.source.path, life.target, finished=finished)
