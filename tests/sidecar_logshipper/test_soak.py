"""Killed at random moments, over and over, while files are written and rotated: nothing is lost, and what arrives
twice fits into the in-flight window of each kill. 20 kills by default; `make soak` makes it 200 and prints figures."""

import os
import random
import threading
from pathlib import Path

from .world import PATIENCE_S, World

KILLS = int(os.environ.get("SOAK_KILLS", "20"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.randrange(1, 1 << 30)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    world = World(tmp_path, covers_rotated=True, batch="64KiB", in_flight=4)
    ending = threading.Event()
    writer = threading.Thread(target=_write, args=(world, random.Random(SEED + 1), ending))
    try:
        world.start()
        writer.start()
        for _ in range(KILLS):
            with world.server.changed:
                seen = len(world.server.arrivals)
                world.server.changed.wait_for(lambda seen=seen: len(world.server.arrivals) > seen, PATIENCE_S)
            ending.wait(chance.choice((0.0, 0.01, 0.05, 0.2)) * chance.random())
            world.kill()
            world.start()
        ending.set()
        writer.join()
        world.settle()
        repeated = world.repeated_bytes()
        print(
            f"\nsoak: seed {SEED}, {world.kills} kills, {len(world.must)} lines, lost {len(world.lost())}, "
            f"repeated {sum(repeated.values())} bytes, at most {max(repeated.values(), default=0)} after one kill; "
            f"in-flight window {world.window}"
        )
        assert world.lost() == set()
        assert max(repeated.values(), default=0) <= world.window
        assert world.out_of_order() == []
        assert world.stop() == 0
    finally:
        ending.set()
        world.close()


def _write(world: World, chance: random.Random, ending: threading.Event) -> None:
    """Three files, one of them rotated now and then; a few MB a second."""
    names = ["a.log", "b.log", "c.log"]
    while not ending.wait(0.005):
        world.write(world.file(chance.choice(names)), chance.randrange(1, 400))
        if chance.random() < 0.02:
            world.rename("c.log")
