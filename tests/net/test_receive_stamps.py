"""Stamps are tried out once in a process, and stay on."""

from __future__ import annotations

import _socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stt_load.net import receive_stamps
from stt_load.net.receive_stamps import kernel_stamps


@pytest.fixture(autouse=True)
def tried_anew() -> Iterator[None]:
    receive_stamps._keeper_of.cache_clear()
    yield
    receive_stamps._keeper_of.cache_clear()


def n_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_process_tries_it_once_and_keeps_a_pair_of_sockets() -> None:
    before = n_descriptors()
    found = {kernel_stamps() for _ in range(3)}
    assert len(found) == 1
    assert n_descriptors() == before + 2 * found.pop()


def test_a_kernel_that_knows_the_option_and_never_stamps_has_no_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_stamps, "SO_TIMESTAMPNS", _socket.SO_KEEPALIVE)
    monkeypatch.setattr(receive_stamps, "_DEADLINE_S", 0.02)
    before = n_descriptors()
    assert not kernel_stamps()
    assert n_descriptors() == before


@pytest.mark.parametrize("error", [OSError("no such option"), PermissionError("no loopback")])
def test_a_system_without_the_option_has_none(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def refuse() -> None:
        raise error

    monkeypatch.setattr(receive_stamps, "_connected_pair", refuse)
    assert not kernel_stamps()
