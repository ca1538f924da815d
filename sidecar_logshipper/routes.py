"""Which lane does a file's next part take? Pure: by its path, and never another while parts of it are under way.

So a file's lines arrive in order, also where the number of lanes has changed in between.
"""

import zlib
from collections.abc import Sequence
from typing import Generic, TypeVar

L = TypeVar("L")


class Routes(Generic[L]):
    def __init__(self, lanes: Sequence[L]) -> None:
        self.lanes = lanes
        """Those that take new files; may be replaced."""
        self._under_way: dict[str, tuple[L, int]] = {}

    def take(self, path: str) -> L:
        """The lane for a part of this file; `give_back` when the part is done."""
        lane, parts = self._under_way.get(path) or (self._choose(path), 0)
        self._under_way[path] = lane, parts + 1
        return lane

    def give_back(self, path: str) -> None:
        lane, parts = self._under_way.pop(path)
        if parts > 1:
            self._under_way[path] = lane, parts - 1

    def _choose(self, path: str) -> L:
        # By path, so that a rotated file and its successor share a lane and arrive in order.
        return self.lanes[zlib.crc32(path.encode("utf-8", "surrogateescape")) % len(self.lanes)]
