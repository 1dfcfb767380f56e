"""Fails when aiortc is another version than the one whose private names media/sctp.py was written against.

Then: read what changed in ``aiortc/rtcsctptransport.py``, run tests/media/test_datachannels.py, and say the new version
here and in pyproject.toml.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest
from aiortc import RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import decode_params

from media.dtls import DtlsEndpoint
from media.sctp import _Carrier, _Transport


@pytest.mark.parametrize(
    ("package", "known"), [("aiortc", "1.16.0"), ("aioice", "0.13.0"), ("pylibsrtp", "1.0.0"), ("pyopenssl", "26.4.0")]
)
def test_it_is_the_version_that_was_read(package: str, known: str) -> None:
    assert version(package) == known


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("_handle_data", ["self", "data"]),
        ("_mark_received", ["self", "tsn"]),
        ("_receive_data_chunk", ["self", "chunk"]),
        ("_set_state", ["self", "state"]),
    ],
)
def test_what_we_override_or_call_of_the_association_is_there(method: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(RTCSctpTransport, method)).parameters) == parameters


async def test_what_we_set_and_read_of_the_association_is_there() -> None:
    plain = RTCSctpTransport.__new__(RTCSctpTransport)
    RTCSctpTransport.__init__(plain, _Carrier(DtlsEndpoint.__new__(DtlsEndpoint)), 5000)  # type: ignore[arg-type]
    assert plain._advertised_rwnd == 1024 * 1024
    assert plain._inbound_streams_max == 65_535
    assert plain._inbound_streams == {}
    assert plain._last_received_tsn is None
    assert plain.is_server


def test_the_carrier_has_what_the_association_uses_of_a_dtls_transport() -> None:
    source = inspect.getsource(RTCSctpTransport)
    for name in ("_register_data_receiver", "_unregister_data_receiver", "_send_data", "_role", "state"):
        assert hasattr(_Carrier, name)
        assert hasattr(RTCDtlsTransport, name) or f'self.{name} = "auto"' in inspect.getsource(RTCDtlsTransport)
    used = {word.split("(")[0].strip() for word in source.split("self.__transport.")[1:]}
    assert used == {"_register_data_receiver", "_unregister_data_receiver", "_send_data"}
    assert issubclass(_Transport, RTCSctpTransport)


def test_a_server_that_starts_loads_neither_aiortc_nor_ffmpeg() -> None:
    """A fifth of a second, and memory: on the way to the first data channel."""
    program = "import sys, api.serve, media.datachannels; sys.exit(bool({'aiortc', 'av'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_the_parser_still_needs_its_guard() -> None:
    """When this fails, the check of parameters in media/sctpguard.py has become unnecessary."""
    assert "pos += param_length + padl(param_length)" in inspect.getsource(decode_params)
