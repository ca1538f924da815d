"""The ways to a server: peers that are missing or do not start are named with the reason, the others go on."""

import dataclasses
import re
from pathlib import Path

import pytest

from benchmarks import machine, peers, proxies
from benchmarks.proxies import HAPROXY, Ways


def ways(tmp_path: Path) -> Ways:
    return Ways(proxies.free_port(), tmp_path, machine.cores()[0])


def test_a_peer_that_does_not_start_is_named_with_its_own_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    if peers.find("HAProxy") is None:
        pytest.skip("haproxy is not on this machine")
    broken = dataclasses.replace(HAPROXY, name="broken", text="nonsense\n")
    # Its words name the directory several times, and only so many of them are kept.
    with ways(tmp_path_factory.mktemp("peers")) as found:
        found.add_peers([broken, HAPROXY])
        assert set(found.found) == {"direct", "HAProxy"}
        assert [(peer.name, bool(peer.why_not)) for peer in found.peers] == [
            ("HAProxy broken", True),
            ("HAProxy", False),
        ]
        assert "nonsense" in found.peers[0].why_not
        assert proxies.accepts(found.found["HAProxy"].port)


def test_a_peer_that_is_not_here_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.KNOWN, "HAProxy", dataclasses.replace(peers.KNOWN["HAProxy"], program="no-such-program"))
    with ways(tmp_path) as found:
        found.add_peers([HAPROXY])
        assert [peer.why_not for peer in found.peers] == ["not on this machine (apt-get install haproxy)"]


@pytest.mark.parametrize("setup", proxies.SETUPS, ids=lambda setup: setup.contestant)
def test_settings_leave_only_the_places_that_are_filled_at_the_start(setup: proxies.Setup) -> None:
    places = set(re.findall(r"\$(\w+)", setup.text))
    assert {"port", "server"} <= places <= {"directory", "port", "server"}
