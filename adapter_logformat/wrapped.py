"""What a container runtime put its own lines around: the app's two streams, each a lane of its own. Pure.

Peeling one line is the matter of `wrappers`; here the pieces of a long one are joined again before the lane sees it.
"""

import dataclasses
from collections.abc import Mapping

from adapter_logformat.lane import Lane, LaneState
from adapter_logformat.options import LINE_TOO_LONG, Options, Tally
from adapter_logformat.wrappers import Peeled


class Wrapped:
    """The lanes by the name of the app's stream; their records go to the end of `out`."""

    def __init__(self, options: Options, tally: Tally, out: list[bytes]) -> None:
        self.lanes: dict[str, Lane] = {}
        self.pieces: dict[str, bytes] = {}
        """Of a line whose end is still to come, by stream."""
        self._options = options
        self._tally = tally
        self._out = out

    def line(self, peeled: Peeled, now_ns: int) -> None:
        """What stood in one of the runtime's lines, which was read at `now_ns`."""
        lane = self._lane(peeled.stream)
        lane.at_moment(now_ns, peeled.moment)
        text = self.pieces.pop(peeled.stream, b"") + peeled.text
        if len(text) > self._options.limits.line_bytes:
            # The runtime cut the line, and so does the cap: the rest begins anew.
            lane.finish()
            lane.raw(text.decode(errors="replace"), LINE_TOO_LONG, truncated=True)
        elif peeled.partial:
            self.pieces[peeled.stream] = text
        else:
            for line in text.split(b"\n"):
                lane.line(line)

    def end(self) -> None:
        """Nothing completes the lines that are in pieces."""
        for name, text in self.pieces.items():
            self.lanes[name].line(text)
        self.pieces.clear()

    def restore(self, states: Mapping[str, LaneState], pieces: Mapping[str, bytes]) -> None:
        self.pieces = dict(pieces)
        for name, state in states.items():
            self._lane(name).restore(state)

    def _lane(self, name: str) -> Lane:
        if name not in self.lanes:
            attributes = {**self._options.attributes, "log.iostream": name}
            options = dataclasses.replace(self._options, attributes=attributes)
            self.lanes[name] = Lane(options, self._tally, self._out)
        return self.lanes[name]
