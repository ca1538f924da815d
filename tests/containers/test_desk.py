"""The desk of the demo in a cluster is in the image that its pod runs, and works as that pod confines it."""

import json

from tests.containers.engine import Engine

CONFINED = ("--rm", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--user=10001:10001")


def test_the_desk_keeps_its_book_on_its_volume(engine: Engine, images: dict[str, str]) -> None:
    desk = ("--entrypoint=python3", images["demo-app"], "-m", "podmates.desk", "totals")
    said = engine.run("run", *CONFINED, "--tmpfs=/var/lib/desk:mode=1777", *desk)
    assert json.loads(said) == {}
