"""The server's processes, found among real ones. The sidecar's part is played by a process of its own where it matters
who started whom: what a sidecar starts is never the server, and these tests have started everything here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from programs import IDLE, LISTENING, WITH_CHILD, program
from stand_in import CHECKOUT, DEADLINE_S

from gpu_sidecar.proc import Proc
from gpu_sidecar.server_choice import (
    FoundRoots,
    OnGpus,
    ServerChoice,
    ServerSelector,
    ServerTree,
    parse_server_selector,
    root_search,
)

LOOK = """\
import dataclasses, json, os, sys
from gpu_sidecar.proc import Proc
from gpu_sidecar.server_choice import ServerTree, parse_server_selector, root_search
os.setuid(int(sys.argv[2]))
tree = ServerTree(Proc(), root_search(parse_server_selector(sys.argv[1])))
print(json.dumps(dataclasses.asdict(tree.update())))
"""


def tree_for(text: str) -> ServerTree:
    return ServerTree(Proc(), root_search(parse_server_selector(text)))


def found_from_aside(selector: str, user_id: int | None = None) -> ServerChoice:
    """What a process beside the server's finds, as another user maybe. A pattern reaches it as its own argument."""
    command = [sys.executable, "-c", LOOK, selector, str(os.getuid() if user_id is None else user_id)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    choice = json.loads(done.stdout)
    return ServerChoice(tuple(choice["pids"]), choice["why"], choice["name"])


@pytest.mark.parametrize(
    "text, selector",
    [
        ("pid:4242", ServerSelector("pid", "4242")),
        ("port:8000", ServerSelector("port", "8000")),
        ("name:vllm serve", ServerSelector("name", "vllm serve")),
        ("name:a:b", ServerSelector("name", "a:b")),
    ],
)
def test_what_is_asked_for_is_read(text: str, selector: ServerSelector) -> None:
    assert parse_server_selector(text) == selector


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("4242", "give pid:N, port:N or name:PATTERN"),
        ("", "give pid:N, port:N or name:PATTERN"),
        ("user:me", "give pid:N, port:N or name:PATTERN"),
        ("pid:", "a pid is a number from 1 to 4194304"),
        ("pid:0", "a pid is a number from 1 to 4194304"),
        ("port:http", "a port is a number from 1 to 65535"),
        ("port:65536", "a port is a number from 1 to 65535"),
        ("name:", "the pattern is empty"),
        ("name:a(", "not a regular expression (missing ), unterminated subpattern at position 1)"),
    ],
)
def test_what_names_no_process_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_server_selector(text)
    assert str(caught.value) == f"{text!r} is not a process: {complaint}"


def test_by_pid_the_process_and_its_children_are_the_server() -> None:
    said: list[str] = []
    with program(WITH_CHILD, said=said) as server:
        choice = tree_for(f"pid:{server.pid}").update()
    assert choice.pids == tuple(sorted([server.pid, int(said[0])]))
    assert choice.name.startswith("python")
    assert choice.why == f"asked for: {choice.name} (pid {server.pid})"


def test_a_pid_that_ended_is_gone() -> None:
    with program(IDLE) as server:
        tree = tree_for(f"pid:{server.pid}")
        assert tree.update().pids == (server.pid,)
    choice = tree.update()
    assert (choice.pids, choice.name) == ((), "")
    assert choice.why.startswith(f"process {server.pid} is gone: give the server's pid, or port:N or name:PATTERN")


def test_a_pid_that_never_was_is_told_as_such() -> None:
    with program(IDLE) as gone:
        pass
    choice = tree_for(f"pid:{gone.pid}").update()
    assert choice.pids == ()
    assert choice.why.startswith(f"there is no process {gone.pid}: ")


def test_by_port_the_one_that_listens_is_the_server_and_its_successor_too() -> None:
    said: list[str] = []
    with program(LISTENING, "0", said=said) as first:
        tree = tree_for(f"port:{said[0]}")
        choice = tree.update()
        assert choice.pids == (first.pid,)
        assert choice.why == f"listens on port {said[0]}: {choice.name} (pid {first.pid})"
    assert tree.update().pids == ()
    assert tree.update().why.startswith(f"nothing listens on port {said[0]} here")
    with program(LISTENING, said[0]) as second:
        assert tree.update().pids == (second.pid,)


def test_of_a_server_that_shares_its_socket_with_its_children_the_topmost_is_the_root() -> None:
    forking = LISTENING.replace("print(", "import os; os.fork() and os.fork(); print(")
    said: list[str] = []
    with program(forking, "0", said=said) as server:
        # The children say the port too, the slowest last: all three are there then.
        assert server.stdout is not None
        for _ in range(2):
            server.stdout.readline()
        choice = tree_for(f"port:{said[0]}").update()
    assert len(choice.pids) == 3
    assert choice.why.endswith(f"(pid {server.pid})")


def test_what_only_forwards_the_port_to_a_container_is_not_the_server() -> None:
    proxy = "open('/proc/self/comm', 'w').write('docker-proxy')\n" + LISTENING
    said: list[str] = []
    with program(proxy, "0", said=said) as forwarder:
        choice = tree_for(f"port:{said[0]}").update()
    assert choice.pids == ()
    assert choice.why == (
        f"docker-proxy (pid {forwarder.pid}) only forwards port {said[0]} to a container: give name:PATTERN or pid:N"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_port_held_by_another_users_process_says_as_whom_to_run() -> None:
    said: list[str] = []
    with program(LISTENING, "0", said=said):
        choice = found_from_aside(f"port:{said[0]}", user_id=65534)
    assert choice.pids == ()
    assert choice.why == (
        f"the process that listens on port {said[0]} is hidden: "
        "run the sidecar as the same user or root, and in its pid namespace"
    )


def test_by_name_the_command_line_is_searched() -> None:
    with program(IDLE, "--model", "parakeet-odd-7f3a") as server, program(IDLE, "--model", "other") as other:
        choice = found_from_aside("name:model parakeet-odd-[0-9a-f]+")
    assert choice.pids == (server.pid,)
    assert other.pid not in choice.pids
    assert choice.why == f"command line matches 'model parakeet-odd-[0-9a-f]+': {choice.name} (pid {server.pid})"


def test_by_name_all_that_fit_are_the_server() -> None:
    with program(IDLE, "worker-odd-91c2") as one, program(IDLE, "worker-odd-91c2") as two:
        assert found_from_aside("name:worker-odd-91c2").pids == tuple(sorted([one.pid, two.pid]))


def test_nobody_who_asks_for_the_server_by_name_is_it() -> None:
    with program(IDLE, "--server-process", "name:odd-5d5d"):
        assert found_from_aside("name:odd-5d5d").pids == ()


def test_neither_the_sidecar_nor_what_started_it_is_the_server() -> None:
    """This process fits the pattern, is an ancestor, and doesn't ask for it. What `own` started fits as well."""
    own = Proc().command_line(os.getpid())
    pattern = own.split()[0]
    assert os.getpid() not in found_from_aside(f"name:{pattern}").pids
    with program(IDLE) as child:
        assert child.pid in found_from_aside(f"name:{pattern}").pids
        assert child.pid not in tree_for(f"name:{pattern}").update().pids


def test_it_is_searched_for_again_when_a_root_ended_or_somebody_asks() -> None:
    looks = []
    with program(IDLE) as server:

        def search(proc: Proc, parents: Mapping[int, int]) -> FoundRoots:
            looks.append(proc)
            return FoundRoots((server.pid,), "as told")

        tree = ServerTree(Proc(), search)
        assert [tree.update().pids for _ in range(3)] == [(server.pid,)] * 3
        assert len(looks) == 1
        assert tree.update(is_afresh=True).pids == (server.pid,)
        assert len(looks) == 2
    assert tree.update().pids == ()
    assert len(looks) == 3


def test_a_python_process_on_a_gpu_stands_for_the_server_that_nobody_named() -> None:
    pids: list[int] = []
    tree = ServerTree(Proc(), OnGpus(lambda: pids))
    assert tree.update() == ServerChoice((), "no --server-process was given, and no known server is on a GPU")
    with program(IDLE) as server:
        pids.append(server.pid)
        choice = tree.update()
    assert choice.pids == (server.pid,)
    assert choice.why == f"on a GPU: {choice.name} (pid {server.pid})"


def made_proc(folder: Path, processes: dict[int, tuple[str, int]], inode: int = 99) -> Proc:
    """A folder like /proc. `processes`: name and start time by pid; all hold a socket that listens on port 8000."""
    (folder / "net").mkdir(parents=True, exist_ok=True)
    (folder / "stat").write_text("cpu  1 2 3 4 5 6 7 8 0 0\n")
    (folder / "net" / "tcp").write_text(f"  0: 00000000:1F40 00000000:0000 0A 0:0 0:0 0 0 0 {inode} 1\n")
    for pid, (name, started) in processes.items():
        descriptors = folder / str(pid) / "fd"
        if not descriptors.exists():
            descriptors.mkdir(parents=True)
            (descriptors / "3").symlink_to(f"socket:[{inode}]")
        (folder / str(pid) / "stat").write_text(f"{pid} ({name}) S 0 {'0 ' * 17}{started} {'0 ' * 30}\n")
    return Proc(str(folder))


def test_a_socket_that_init_holds_too_is_the_servers(tmp_path: Path) -> None:
    proc = made_proc(tmp_path, {1: ("systemd", 1), 4242: ("uvicorn", 500)})
    choice = ServerTree(proc, root_search(ServerSelector("port", "8000"))).update()
    assert (choice.pids, choice.name) == ((4242,), "uvicorn")


def test_in_a_container_the_server_may_be_process_1(tmp_path: Path) -> None:
    proc = made_proc(tmp_path, {1: ("uvicorn", 1)})
    assert ServerTree(proc, root_search(ServerSelector("port", "8000"))).update().pids == (1,)


def test_a_pid_that_another_process_has_got_is_gone(tmp_path: Path) -> None:
    tree = ServerTree(made_proc(tmp_path, {4242: ("uvicorn", 500)}), root_search(ServerSelector("pid", "4242")))
    assert tree.update().pids == (4242,)
    made_proc(tmp_path, {4242: ("bash", 900)})
    choice = tree.update()
    assert choice.pids == ()
    assert choice.why.startswith("process 4242 is gone")


def test_without_proc_there_is_no_server(tmp_path: Path) -> None:
    tree = ServerTree(Proc(str(tmp_path)), root_search(ServerSelector("port", "8000")))
    assert tree.update().pids == ()
    assert tree.update().why.startswith("this host has no /proc")
