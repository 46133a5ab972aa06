"""The socket that the API listens on."""

import socket

import pytest

from api.serve import _listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_no_answer_waits_for_the_acknowledgement_of_its_head(host: str) -> None:
    try:
        place = _listen(host, 0)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with place, socket.create_connection(place.getsockname()[:2]):
        accepted, _ = place.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
