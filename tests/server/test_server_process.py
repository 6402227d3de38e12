"""The launcher: what it waits for, what it says of a server that fails, and that nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from servers.script import Script
from servers.start import start_scripted_server, start_test_server
from wire import get, is_alive, wait_until

from stt_load.errors import ConfigError
from stt_load.server.process import ServerFailed, ServerProcess


def test_the_server_listens_when_it_is_returned_and_is_gone_after_stop() -> None:
    with start_scripted_server(Script()) as process:
        assert get(process, "/healthz")["ready"] is True
        assert process.http_url + "/ws" == process.url.replace("ws://", "http://")
        pid = process.pid
    assert not process.is_running
    assert process.stop() == 0
    assert not is_alive(pid)


def test_ctrl_c_in_the_terminal_leaves_the_server_to_its_starter() -> None:
    with start_scripted_server(Script()) as process:
        assert os.getpgid(process.pid) == process.pid != os.getpgid(0)


def test_bad_input_is_told_in_the_servers_own_words() -> None:
    with pytest.raises(ConfigError, match=r"^script: .*unexpected keyword argument 'colour'"):
        start_test_server("scripted", "--script", '{"colour":"red"}')


def test_a_truth_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--truth .*: Is a directory; ") as caught:
        start_scripted_server(Script(), tmp_path)
    assert len(caught.value.problems) == 1


def test_a_server_that_dies_is_told_with_its_last_words() -> None:
    with pytest.raises(ServerFailed, match="exit code 3: out of coffee"):
        ServerProcess(["-c", "import sys; print('out of coffee', file=sys.stderr); sys.exit(3)"])


def test_a_server_that_says_nothing_is_given_up_and_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = f"import os, pathlib, sys; pathlib.Path({str(told)!r}).write_text(str(os.getpid())); sys.stdin.read()"
    with pytest.raises(ServerFailed, match="not ready in time"):
        ServerProcess(["-c", code], start_deadline_s=1.0)
    assert not told.exists() or not is_alive(int(told.read_text()))


def test_another_first_line_is_no_server() -> None:
    with pytest.raises(ServerFailed, match="not a server's first line: b'hello"):
        ServerProcess(["-c", "print('hello')"])


def test_a_server_deaf_to_sigterm_is_killed() -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('listening on ws://127.0.0.1:1/ws', flush=True); sys.stdin.read()"
    )
    with ServerProcess(["-c", code]) as process:
        assert process.stop(patience_s=0.1) == -signal.SIGKILL


def test_a_server_ends_with_its_starter_even_if_that_is_killed() -> None:
    code = (
        "from stt_load.server.process import start_sink_server; import sys; "
        "server = start_sink_server(); print(server.pid, flush=True); sys.stdin.read()"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert starter.stdout is not None and starter.stdin is not None
    try:
        pid = int(starter.stdout.readline())
        assert is_alive(pid)
    finally:
        os.kill(starter.pid, signal.SIGKILL)
        starter.wait()
        starter.stdin.close()
        starter.stdout.close()
    wait_until(lambda: not is_alive(pid))
