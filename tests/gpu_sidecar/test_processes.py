"""/proc: its texts, and the real one of real processes."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import IDLE, WITH_CHILD, program
from stand_in import eventually

from gpu_sidecar.proc import Proc
from gpu_sidecar.processes import (
    CpuTicks,
    ProcessStat,
    ancestors_of,
    parse_cpu_ticks,
    parse_listening_inodes,
    parse_memory_used_mib,
    parse_process_stat,
    topmost,
    tree_of,
)

STAT = (
    "4242 (python3) S 1 4242 4242 0 -1 4194560 2793 61073 0 9 100 30 7 3 20 0 5 0 62013 5124096 935 "
    "18446744073709551615 1 1 0 0 0 0 0 4096 134 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)
PYTHON = ProcessStat(
    4242, "python3", "S", 1, own_ticks=130, ended_ticks=10, started_ticks=62013, rss_pages=935, session=4242
)

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0000 100 0 0 10 0
   1: 0100007F:1F40 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 31338 1 0000 20 4 30 10 -1
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31339 1 0000 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retr
   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 555 1 0000 100 0 0 10 0
"""  # noqa: E501


def test_waiting_for_a_disk_and_stolen_time_are_not_busy() -> None:
    #     user nice system idle iowait irq softirq steal guest guest_nice
    text = "cpu  100 10 30 1000 500 5 5 700 90 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    assert parse_cpu_ticks(text) == CpuTicks(busy=150, total=150 + 1000 + 500 + 700)


@pytest.mark.parametrize("text", ["", "cpu\n", "cpu  1 2 3 4\n", "cpu  a b c d e f g h\n", "intr 1 2 3 4 5 6 7 8 9\n"])
def test_other_text_tells_nothing_of_the_cpu(text: str) -> None:
    assert parse_cpu_ticks(text) is None


def test_caches_are_not_memory_in_use() -> None:
    text = "MemTotal:        4096 kB\nMemFree:   1 kB\nMemAvailable:    1024 kB\nCached:  900 kB\n"
    assert parse_memory_used_mib(text) == 3.0


@pytest.mark.parametrize("text", ["", "MemTotal: 4096 kB\n", "MemTotal: 1 kB\nMemAvailable: much\n", "MemTotal:\n"])
def test_memory_that_is_not_told_is_unknown(text: str) -> None:
    assert parse_memory_used_mib(text) is None


def test_a_process_is_read_with_its_childrens_time_apart() -> None:
    assert parse_process_stat(STAT) == PYTHON


@pytest.mark.parametrize("name", ["a b", "a) S 1 (b", "(sd-pam)", ") ", "", "1 (x) S 2"])
def test_a_name_may_hold_blanks_and_brackets(name: str) -> None:
    stat = parse_process_stat(STAT.replace("python3", name))
    assert stat == ProcessStat(4242, name, "S", 1, 130, 10, 62013, 935, 4242)


@given(st.integers(0, len(STAT)))
def test_a_text_that_was_cut_gives_nothing_or_the_same(length: int) -> None:
    assert parse_process_stat(STAT[:length]) in (None, PYTHON)


@given(st.text())
def test_garbage_is_no_process(text: str) -> None:
    assert parse_process_stat(text) is None


@pytest.mark.parametrize("state, is_running", [("R", True), ("S", True), ("D", True), ("Z", False), ("X", False)])
def test_an_ended_process_that_was_not_collected_runs_no_more(state: str, is_running: bool) -> None:
    stat = parse_process_stat(STAT.replace(" S ", f" {state} "))
    assert stat is not None
    assert stat.is_running == is_running


def test_only_listening_sockets_of_the_port_count() -> None:
    assert parse_listening_inodes(TCP, 8000) == {31337}
    assert parse_listening_inodes(TCP6, 8000) == {555}
    assert parse_listening_inodes(TCP, 40000) == set()
    assert parse_listening_inodes(TCP, 80) == {31339}


def test_a_tree_is_the_roots_and_all_below() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1, 21: 20}
    assert tree_of([10], parents) == (10, 11, 12)
    assert tree_of([12, 20], parents) == (12, 20, 21)
    assert tree_of([10, 11], parents) == (10, 11, 12)
    assert tree_of([99], parents) == ()


def test_topmost_are_those_with_none_of_the_others_above() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1}
    assert topmost([12, 10, 20], parents) == [10, 20]


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 9)))
def test_a_table_that_goes_round_in_circles_ends_all_the_same(parents: dict[int, int]) -> None:
    """It is read process by process while pids are given away again, so it may hold what never was."""
    for pid in parents:
        assert pid in tree_of([pid], parents)
        assert pid not in ancestors_of(pid, parents)


def test_this_process_is_found_in_the_real_proc() -> None:
    proc, own = Proc(), os.getpid()
    stat = proc.process(own)
    assert stat is not None
    assert (stat.ppid, stat.is_running) == (os.getppid(), True)
    assert stat.rss_pages > 0
    assert own in proc.pids()
    assert proc.parents()[own] == os.getppid()
    assert os.getppid() in ancestors_of(own, proc.parents())
    assert "python" in proc.command_line(own)


def test_this_host_has_cpu_and_memory() -> None:
    ticks, used_mib = Proc().cpu_ticks(), Proc().memory_used_mib()
    assert ticks is not None
    assert 0 < ticks.busy <= ticks.total
    assert used_mib is not None
    assert used_mib > 0


def test_a_real_name_with_blanks_and_brackets_is_read(tmp_path: Path) -> None:
    odd = tmp_path / "x) S 1 (y"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "600"]) as process:
        stat = Proc().process(process.pid)
        process.kill()
    assert stat is not None
    assert (stat.name, stat.ppid) == ("x) S 1 (y", os.getpid())


def test_a_child_that_came_since_the_last_look_is_in_the_tree() -> None:
    proc = Proc()
    assert os.getpid() in proc.parents()
    said: list[str] = []
    with program(WITH_CHILD, said=said) as process:
        assert tree_of([process.pid], proc.parents()) == tuple(sorted([process.pid, int(said[0])]))


def test_a_child_left_behind_has_another_parent() -> None:
    proc = Proc()
    said: list[str] = []
    with program(WITH_CHILD, said=said) as process:
        orphan = int(said[0])
        assert proc.parents()[orphan] == process.pid
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.wait()
        assert proc.parents()[orphan] != process.pid


def test_a_process_that_ended_between_listing_and_reading_is_left_out() -> None:
    proc = Proc()
    with program(IDLE) as process:
        pids = proc.pids()
        assert process.pid in pids
        process.kill()
        eventually(lambda: not (stat := proc.process(process.pid)) or not stat.is_running)  # not collected yet
    assert [proc.process(process.pid), proc.command_line(process.pid)] == [None, ""]
    assert process.pid not in proc.parents()


@pytest.mark.parametrize("family, address", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_listens_on_a_port_is_found_by_the_socket(family: socket.AddressFamily, address: str) -> None:
    proc = Proc()
    with socket.socket(family) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        port = listener.getsockname()[1]
        assert not proc.listening_inodes(port)
        listener.listen()
        inodes = proc.listening_inodes(port)
        assert len(inodes) == 1
        assert proc.holders(inodes) == [os.getpid()]
    assert not proc.listening_inodes(port)


def test_a_host_without_proc_tells_nothing_and_raises_nothing(tmp_path: Path) -> None:
    proc = Proc(str(tmp_path / "proc"))
    assert not proc.is_there()
    assert (proc.pids(), proc.parents(), proc.holders({1}), proc.listening_inodes(80)) == ([], {}, [], set())
    assert (proc.process(1), proc.command_line(1), proc.memory_used_mib()) == (None, "", None)
