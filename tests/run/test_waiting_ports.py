from __future__ import annotations

from pathlib import Path

import pytest

from stt_load.run.waiting_ports import waiting_ports_pct


def machine(root: Path, reuse: str = "0", n_waiting: int = 7_000) -> Path:
    """The files of a kernel with 28,000 ephemeral ports."""
    for name, text in (
        ("sys/net/ipv4/ip_local_port_range", "32768\t60767\n"),
        ("sys/net/ipv4/tcp_tw_reuse", f"{reuse}\n"),
        ("net/sockstat", f"sockets: used 9\nTCP: inuse 5 orphan 0 tw {n_waiting} alloc 6 mem 1\n"),
    ):
        (root / "proc" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "proc" / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("reuse", "is_near", "pct"),
    [("0", False, 25.0), ("0", True, 25.0), ("2", False, 25.0), ("2", True, None), ("1", False, None)],
)
def test_it_is_the_share_of_the_ports_that_nothing_may_have_yet(
    reuse: str, is_near: bool, pct: float | None, tmp_path: Path
) -> None:
    assert waiting_ports_pct(is_near, machine(tmp_path, reuse)) == pct


def test_a_kernel_that_does_not_tell_is_no_figure(tmp_path: Path) -> None:
    assert waiting_ports_pct(False, tmp_path) is None
    machine(tmp_path)
    (tmp_path / "proc/net/sockstat").write_text("TCP: inuse 5\n")
    assert waiting_ports_pct(False, tmp_path) is None
