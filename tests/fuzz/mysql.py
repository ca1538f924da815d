"""Coverage-guided fuzzing of everything that reads MySQL's bytes, with libFuzzer's options; needs atheris.

Each target says what must hold for any bytes; an exception that the module does not promise ends the run.
"""

import contextlib
import sys
from pathlib import Path

import atheris

sys.path[0] = str(Path(__file__).parent.parent.parent)  # not this folder, whose names are those of drivers
with atheris.instrument_imports(include=["ambassador_dbproxy"]):
    from ambassador_dbproxy.mysql import capabilities as can
    from ambassador_dbproxy.mysql.admission import Admission, AdmissionState
    from ambassador_dbproxy.mysql.errors import read_error, read_status
    from ambassador_dbproxy.mysql.greeting import Greeting, LoginRequest
    from ambassador_dbproxy.mysql.login import LoginFailed, LoginState, ServerRefused, UpstreamLogin
    from ambassador_dbproxy.mysql.passwords import NATIVE
    from ambassador_dbproxy.mysql.query import OneValue
    from ambassador_dbproxy.mysql.tracking import SessionTracker
    from ambassador_dbproxy.mysql.wire import MAX_LOGIN_PACKET_BYTES, Packet, PacketReader, ProtocolViolation

SECRET = "fuzz-secret"
OFTEN = can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | can.CONNECT_WITH_DB | can.CONNECT_ATTRS


def packets(data: bytes) -> list[Packet]:
    """What a reader makes of the bytes, however they are cut."""
    whole, sliced = PacketReader(), PacketReader()
    whole.feed(data)
    found: list[Packet] = []
    again: list[Packet] = []
    try:
        while (packet := whole.next_packet()) is not None:
            assert len(packet.body) <= MAX_LOGIN_PACKET_BYTES
            found.append(packet)
        for at in range(len(data)):
            sliced.feed(data[at : at + 1])
            while (packet := sliced.next_packet()) is not None:
                again.append(packet)
        assert found == again
        assert whole.take_rest() == sliced.take_rest()
    except ProtocolViolation:
        pass
    return found


def greeting(data: bytes) -> None:
    """A greeting that was read says the same when it is written and read again, to the app as well."""
    try:
        read = Greeting.read(data)
    except ProtocolViolation:
        return
    assert Greeting.read(read.encode()) == read
    Greeting.read(read.for_app(b"s" * 20).encode())
    Greeting.read(read.passed_through().encode())


def response(data: bytes) -> None:
    """So does the app's response, and what is made of it for the server can be read."""
    try:
        read = LoginRequest.read(data)
    except ProtocolViolation:
        return
    Admission(NATIVE, b"s" * 20).ask(read, 1)
    try:
        assert LoginRequest.read(read.encode()) == read
    except ProtocolViolation:
        assert len(read.auth) > 0xFF
    routed = read.routed(read.capabilities, b"user", None).proven(NATIVE, b"p" * 20)
    sent = LoginRequest.read(routed.encode())
    assert (sent.user, sent.auth, sent.database) == (b"user", b"p" * 20, read.database)


def change_of_user(data: bytes) -> None:
    """COM_CHANGE_USER, with the capabilities in the first bytes."""
    capabilities = int.from_bytes(data[:4], "little") | OFTEN
    try:
        read = LoginRequest.read_change(data[4:], capabilities)
        admission = Admission(None, b"s" * 20)
        admission.ask(read, 0)
        if admission.state is AdmissionState.SWITCHED:
            admission.answer(Packet(2, b""))
        admission.welcome(b"")
        read.routed(capabilities, b"user", None).proven(NATIVE, b"p" * 20).encode_change()
    except ProtocolViolation:
        pass


def login(data: bytes) -> None:
    """No server gets the password to read on a connection that others can read, or by a method that is not allowed."""
    login = UpstreamLogin(
        password=SECRET, secure=False, require_auth=frozenset({"caching_sha2_password"}), seed=lambda size: b"s" * size
    )
    answers = list(login.begin(NATIVE, b"n" * 20))
    try:
        for packet in packets(data):
            answers.append(login.receive(packet.body) or b"")
            if login.state is LoginState.READY:
                break
    except (ProtocolViolation, LoginFailed, ServerRefused):
        pass
    assert not any(SECRET.encode() in answer for answer in answers)


def tracking(data: bytes) -> None:
    """However it is cut, a stream means the same, and what passes is what came, but for a change of user."""
    provider = atheris.FuzzedDataProvider(data)
    capabilities = can.DEPRECATE_EOF if provider.ConsumeBool() else 0
    intercept = provider.ConsumeBool()
    whole, sliced = (SessionTracker(capabilities, 2, intercept=intercept, on_error=_nothing) for _ in range(2))
    came = passed = passed_sliced = b""
    while provider.remaining_bytes():
        from_app = provider.ConsumeBool()
        chunk = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 200))
        cut = provider.ConsumeIntInRange(0, 200)
        if from_app:
            came += chunk
            passed += whole.client_bytes(chunk)
            passed_sliced += sliced.client_bytes(chunk[:cut]) + sliced.client_bytes(chunk[cut:])
        else:
            whole.server_bytes(chunk)
            sliced.server_bytes(chunk[:cut])
            sliced.server_bytes(chunk[cut:])
        assert (whole.quiet, whole.transactions, whole.lost) == (sliced.quiet, sliced.transactions, sliced.lost)
        assert passed == passed_sliced
    if whole.held is None:
        assert passed + whole.take_kept() == came
    else:
        assert passed + bytes(whole.held) == came


def small_readers(data: bytes) -> None:
    """They promise what they raise."""
    read_error(data)
    with contextlib.suppress(ProtocolViolation):
        read_status(data)
    value = OneValue(can.DEPRECATE_EOF if data[:1] < b"\x80" else 0)
    try:
        for packet in packets(data):
            if value.done:
                break
            value.receive(packet.body)
    except (ProtocolViolation, ServerRefused):
        pass


def _nothing(_: str) -> None:
    pass


TARGETS = (greeting, response, change_of_user, login, tracking, small_readers)


def one_input(data: bytes) -> None:
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
