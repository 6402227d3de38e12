"""`stt-load probe` in a process of its own: what it ends with is the next command to paste."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from servers.start import start_stand_in, start_tts_server
from tones import tone

from stt_load.cli.probe import PROBE_OPTIONS, _arrival_times
from stt_load.config import parse_options
from stt_load.options import OPTIONS
from stt_load.records import UtteranceRecord

pytestmark = pytest.mark.slow

STT_LOAD = [sys.executable, "-c", "from stt_load.cli import main; main()"]
DEADLINE_S = 60.0


def probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*STT_LOAD, "probe", *arguments], capture_output=True, text=True, timeout=DEADLINE_S)


def next_command(done: subprocess.CompletedProcess[str]) -> list[str]:
    return shlex.split(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("stamp", "late_s", "told"),
    [
        ("kernel", None, "kernel receive stamps"),
        ("read", None, "when the bytes were read"),
        ("read", 0.0062, "when the bytes were read, up to 6 ms after they came"),
    ],
)
def test_where_arrival_times_come_from_is_told(stamp: str, late_s: float | None, told: str) -> None:
    record = UtteranceRecord("run", 0, 0, 0, "hold", 1, "clip", "words", stamp=stamp, arrival_late_s=late_s)
    assert _arrival_times(record) == told


def test_a_probe_that_went_well_ends_with_the_run_to_start() -> None:
    with start_stand_in("vosk", "one two three") as server:
        how = ["--dialect", "vosk", "--stt-url", server.url, "--end", "client", "--frame-ms", "200"]
        done = probe(*how)
    assert done.returncode == 0, done.stdout + done.stderr
    command = next_command(done)
    assert command[:2] == ["stt-load", "run"]
    assert sorted(command[2:]) == sorted(how)
    assert "outcome           ok" in done.stdout


@pytest.mark.parametrize(
    ("user", "query", "headers", "told"),
    [
        ("", "", [], "with:"),
        ("me:word@", "", [], "with the user and password of --stt-url (not shown: type it again"),
        ("", "?token=word", [], "with what is *** in --stt-url (not shown: type it again"),
        ("me:word@", "", ["X-A=word"], "with your X-A, the user and password of --stt-url (not shown: type it again"),
    ],
    ids=["nothing", "user", "query", "both"],
)
def test_what_the_command_to_paste_lacks_is_told(user: str, query: str, headers: list[str], told: str) -> None:
    with start_stand_in("vosk", "one two three") as server:
        url = f"{server.url.replace('://', f'://{user}')}{query}"
        own = [word for header in headers for word in ("--header", header)]
        done = probe("--dialect", "vosk", "--stt-url", url, "--end", "client", *own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Run the load test {told}" in done.stdout
    assert ("or set headers in STT_LOAD_HEADERS) and with:" in done.stdout) == (told != "with:")
    assert "word" not in done.stdout.partition("Run the load test")[2].replace("password", "")


def test_a_url_without_a_path_is_written_as_it_was_used_and_quoted_where_it_must_be() -> None:
    with start_tts_server("--rtf", "0.01") as server:
        done = probe(
            "--dialect", "tts-openai", "--stt-url", server.http_url, "--dialect-option", "instructions=be kind"
        )
    assert done.returncode == 0, done.stdout + done.stderr
    url = f"{server.http_url}/v1/audio/speech"
    options = ["--stt-url", url, "--dialect", "tts-openai", "--dialect-option", "instructions=be kind"]
    assert next_command(done) == ["stt-load", "run", *options]
    assert "first audio" in done.stdout
    assert done.stdout.startswith("text of clip ")
    assert "WER" not in done.stdout


def test_a_server_that_never_ends_an_utterance_is_to_be_probed_with_more_silence() -> None:
    with start_stand_in("vosk", "one two three", delay_s=60.0) as server:
        done = probe("--dialect", "vosk", "--stt-url", server.url, "--end", "server", "--timeout", "0.5s")
    assert done.returncode == 3, done.stdout + done.stderr
    assert {"stream end        none", "first partial     none"} <= set(done.stdout.splitlines())
    command = next_command(done)
    assert command[:2] == ["stt-load", "probe"]
    silence_s = parse_options({"dialect": "vosk", "end": "server"}).trailing_silence_s
    assert command[command.index("--trailing-silence") + 1] == f"{silence_s + 1:g}s"


def test_the_probe_of_a_server_of_another_dialect_ends_with_the_probe_that_speaks_it() -> None:
    with start_stand_in("vosk", "one two three") as server:
        done = probe("--dialect", "parakeet", "--stt-url", server.url, "--timeout", "2s", "--trailing-silence", "1s")
        assert done.returncode == 3, done.stdout + done.stderr
        assert "advice            choose --dialect vosk" in done.stdout.splitlines()
        command = next_command(done)
        assert command[:2] == ["stt-load", "probe"]
        again = probe(*command[2:])
    assert again.returncode == 0, again.stdout + again.stderr
    assert "transcript        one two three" in again.stdout


def test_a_clip_that_is_not_there_is_sent_to_the_list_of_the_same_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my clips"
    folder.mkdir()
    soundfile.write(folder / "a.wav", tone(0.8, 16000, lead_s=0.1, tail_s=0.3), 16000)
    (folder / "a.txt").write_text("hello")
    with start_stand_in("parakeet", "hello") as server:
        done = probe("--stt-url", server.url, "--clips", str(folder), "--clip", "b")
    assert done.returncode == 2
    assert done.stderr == f"error: --clip: there is no clip b: see `stt-load clips show '{folder}'`\n"


def test_where_nothing_of_the_server_is_known_no_probe_with_more_silence_is_proposed() -> None:
    with start_stand_in("funasr-realtime", "one two three") as server:
        done = probe("--dialect", "parakeet", "--stt-url", server.url, "--timeout", "0.5s")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "perhaps the server speaks another dialect: see `stt-load dialects`" in done.stdout
    assert "Probe again with" not in done.stdout


@pytest.mark.parametrize("name", PROBE_OPTIONS)
def test_every_option_of_a_probe_is_one_of_a_run(name: str) -> None:
    assert name in {option.name for option in OPTIONS}
