"""The networks that load tests are played on here: machines reach each other until they are parted, and nothing of a
network outlives its block or its process."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from network import Host, Network
from runs import is_alive, kill, wait_for

pytestmark = pytest.mark.namespaces

_SERVE = "import socket, time; s = socket.create_server(('0.0.0.0', 9)); print('ready', flush=True); time.sleep(600)"
_REACH = "import socket, sys; socket.create_connection((sys.argv[1], 9), timeout=float(sys.argv[2]))"
_MAKE = """\
import sys, time
sys.path.append(sys.argv[1])
from network import Network
network = Network().__enter__()
hosts = [network.host("one"), network.host("two")]
print(*network.holders, flush=True)
time.sleep(600)
"""


def reaches(host: Host, other: Host, limit_s: float = 20.0) -> bool:
    line = host.line(sys.executable, "-c", _REACH, other.address, str(limit_s))
    return subprocess.run(line, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode == 0


def test_machines_reach_each_other_until_one_is_parted_from_another_or_has_no_network() -> None:
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        server, one, two = network.host("server"), network.host("one"), network.host("two")
        serving = stack.enter_context(
            subprocess.Popen(server.line(sys.executable, "-c", _SERVE), stdout=subprocess.PIPE)
        )
        stack.callback(serving.kill)
        assert serving.stdout is not None
        assert serving.stdout.readline() == b"ready\n"
        assert server.processes() == [serving.pid]
        assert (reaches(one, server), reaches(two, server)) == (True, True)
        one.part_from(server)
        assert (reaches(one, server, 0.2), reaches(two, server)) == (False, True)
        one.join(server)
        server.unplug()
        assert (reaches(one, server, 0.2), reaches(two, server, 0.2)) == (False, False)
        server.plug_in()
        assert (reaches(one, server), reaches(two, server)) == (True, True)


def test_two_networks_have_the_same_addresses_and_a_block_that_fails_leaves_none_behind() -> None:
    with pytest.raises(ZeroDivisionError), Network() as first, Network() as second:
        hosts = first.host("one"), second.host("one")
        holders = [psutil.Process(pid) for pid in (*first.holders, *second.holders)]
        assert hosts[0].address == hosts[1].address
        assert len(holders) == 4
        raise ZeroDivisionError
    assert not any(map(is_alive, holders))


def test_a_network_ends_with_the_process_that_made_it() -> None:
    line = [sys.executable, "-c", _MAKE, str(Path(__file__).parent)]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as maker:
        assert maker.stdout is not None
        holders = [psutil.Process(int(pid)) for pid in maker.stdout.readline().split()]
        assert [is_alive(holder) for holder in holders] == [True] * 3
        kill(maker.pid)
        wait_for(lambda: not any(map(is_alive, holders)), "the end of a network")
