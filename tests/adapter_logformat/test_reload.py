"""Changed settings in the running adapter: from the next line on, without losing the place or a sender."""

import signal
import socket
import threading
from typing import Any

ACCESS = '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /{} HTTP/1.1" 200 12 "-" "curl/8"\n'


def change(desk: Any, adapter: Any) -> None:
    adapter.write(desk.settings)
    adapter.process.send_signal(signal.SIGHUP)


def test_a_new_input_and_another_way_of_reading_take_over_between_two_lines(desk: Any) -> None:
    adapter = desk.start()
    adapter.event("ready")
    desk.write("a.log", ACCESS.format(1))
    desk.write("b.txt", ACCESS.format(3))
    desk.wait(lambda: len(desk.records()) == 1)
    desk.settings["inputs"][0]["paths"].append(f"{desk.logs}/*.txt")
    desk.settings["keep_original"] = "always"
    change(desk, adapter)
    adapter.event("reloaded")
    desk.write("a.log", ACCESS.format(2))
    desk.wait(lambda: len(desk.records()) == 3)
    assert adapter.stop() == 0
    originals = {record["attributes"]["url.path"]: "log.record.original" in record for record in desk.records()}
    assert originals == {"/1": False, "/2": True, "/3": True}


def test_another_output_goes_on_where_the_first_one_ended(desk: Any) -> None:
    adapter = desk.start()
    adapter.event("ready")
    desk.write("a.log", "".join(ACCESS.format(at) for at in range(100)))
    desk.wait(lambda: len(desk.records()) == 100)
    first = desk.output.read_bytes()
    desk.output = desk.directory / "other" / "app.jsonl"
    desk.settings["output"]["to"] = f"file://{desk.output}"
    change(desk, adapter)
    adapter.event("reloaded")
    desk.write("a.log", ACCESS.format(100))
    desk.wait(lambda: len(desk.records()) == 1)
    assert adapter.stop() == 0
    assert [record["attributes"]["url.path"] for record in desk.records()] == ["/100"]
    assert (desk.directory / "out" / "app.jsonl").read_bytes() == first


def test_a_sender_stays_connected_and_its_half_line_is_kept(desk: Any) -> None:
    listen = "tcp://127.0.0.1:0"
    desk.settings["inputs"].append({"listen": listen})
    adapter = desk.start()
    host, _, port = adapter.event("ready")["listeners"][listen].removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port))) as sender:
        sender.sendall(b"one\nhal")
        desk.wait(lambda: len(desk.records()) == 1)
        desk.settings["keep_original"] = "always"
        change(desk, adapter)
        adapter.event("reloaded")
        sender.sendall(b"ved\n")
        desk.wait(lambda: len(desk.records()) == 2)
    assert adapter.stop() == 0
    assert [record["body"] for record in desk.records()] == ["one", "halved"]


def test_a_sender_that_never_stops_loses_nothing_to_any_number_of_reloads(desk: Any) -> None:
    listen = "tcp://127.0.0.1:0"
    desk.settings["inputs"].append({"listen": listen})
    adapter = desk.start()
    host, _, port = adapter.event("ready")["listeners"][listen].removeprefix("tcp://").rpartition(":")
    stopped, sent = threading.Event(), 0

    def send() -> None:
        nonlocal sent
        with socket.create_connection((host, int(port))) as sender:
            while not stopped.is_set():
                sender.sendall("".join(ACCESS.format(sent + at) for at in range(5)).encode())
                sent += 5
                stopped.wait(0.001)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        for at in range(8):
            seen = len(adapter.events)
            desk.settings["keep_original"] = ("never", "on_failure")[at % 2]
            change(desk, adapter)
            adapter.wait_for(lambda event: event["event"] == "reloaded", since=seen)
    finally:
        stopped.set()
        sending.join()
    assert adapter.stop() == 0
    assert [record["attributes"]["url.path"] for record in desk.records()] == [f"/{at}" for at in range(sent)]


def test_settings_that_cannot_be_carried_out_are_refused_and_the_work_goes_on(desk: Any) -> None:
    adapter = desk.start()
    adapter.event("ready")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        desk.settings["inputs"].append({"listen": f"tcp://127.0.0.1:{taken.getsockname()[1]}"})
        change(desk, adapter)
        assert "inputs[1].listen" in adapter.event("reload_refused")["mistakes"][0]
    desk.write("a.log", ACCESS.format(1))
    desk.wait(lambda: len(desk.records()) == 1)
    assert adapter.stop() == 0
