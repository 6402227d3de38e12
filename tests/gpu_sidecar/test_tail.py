"""Tools as child processes: what they print, and what becomes of those that die, hang, refuse or talk rubbish."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from fallback_commands import FallbackCommands
from hypothesis import given
from hypothesis import strategies as st
from stand_in import CHECKOUT, DEADLINE_S, eventually, is_running, read_line

from gpu_sidecar.metrics import GPU
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SampleGap, Source, SourceConfig
from gpu_sidecar.sources.known_sources import SOURCES, SourceEntry
from gpu_sidecar.sources.line_buffer import LineBuffer
from gpu_sidecar.sources.tail import TailSource, TailTiming, with_ages
from gpu_sidecar.sources.tool_command import Parse

# A period of zero: what is quiet is said by the timing alone.
AT_ONCE = TailTiming(first_restart_s=0.01, last_restart_s=0.01, least_quiet_s=DEADLINE_S)
SOON_QUIET = TailTiming(start_up_s=DEADLINE_S, first_restart_s=0.01, last_restart_s=0.01, least_quiet_s=0.5)
FOR_EVER = "while :; do echo '{\"gpu\": 0, \"load\": '$$'}'; sleep 0.02; done"


# Buffers as the C library does: 4 KiB at a time on a pipe, a line at a time on a terminal.
BUFFERING = """\
import sys, time
for sample in range(1, 600):
    print('{"gpu": 0, "load": %d}' % sample)
    time.sleep(0.02)
"""


# What it takes to add a source: the next 19 lines and a row. The tool is invented; it prints a line of JSON a sample.
def read_json(line: str) -> Sample | None:
    try:
        row = json.loads(line)
        if "fault" in row:
            return Sample(GPU, {"sm_pct": None}, gpu=int(row["gpu"]), fault=row["fault"])
        return Sample(GPU, {"sm_pct": float(row["load"])}, gpu=int(row["gpu"]))
    except (ValueError, TypeError, KeyError):
        return None


class JsonSource(TailSource):
    def __init__(self, config: SourceConfig, *commands: list[str], timing: TailTiming = AT_ONCE) -> None:
        asked = commands or (["invented-smi", "--json", f"--every={config.period_s}"],)
        super().__init__(GPU, config.period_s, config, FallbackCommands("invented", lambda: read_json, *asked), timing)


ENTRY = SourceEntry("invented", GPU, "an invented tool", JsonSource, lambda: True)


def tool(folder: Path, script: str, name: str = "invented-smi") -> list[str]:
    """A command that runs this shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return [str(path)]


@contextmanager
def running(source: Source) -> Iterator[None]:
    source.start()
    try:
        yield
    finally:
        source.stop()


@contextmanager
def tailing(*commands: list[str], timing: TailTiming = AT_ONCE) -> Iterator[tuple[TailSource, list[Sample]]]:
    samples: list[Sample] = []
    source = JsonSource(SourceConfig(0.0, samples.append), *commands, timing=timing)
    with running(source):
        yield source, samples


def loads(samples: list[Sample]) -> list[float | None]:
    return [sample.values["sm_pct"] for sample in samples]


def ended_gaps(source: TailSource) -> list[SampleGap]:
    return [gap for gap in source.status().gaps if gap.ended is not None]


def test_a_new_source_is_one_class_and_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path, 'echo "# $*"; echo \'{"gpu": 3, "load": 45}\'; echo hm; exec sleep 600')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    samples: list[Sample] = []
    source = ENTRY.make(SourceConfig(2.0, samples.append))
    with running(source):
        eventually(lambda: samples and source.status().complaint)
        status = source.status()
    assert samples == [Sample(GPU, {"sm_pct": 45.0}, gpu=3)]
    assert (status.name, status.kind, status.period_s, status.is_alive) == ("invented", GPU, 2.0, True)
    assert (status.restarts, status.complaint, status.gaps) == (0, "hm", ())
    assert not source.status().is_alive


def test_the_table_has_what_the_command_line_offers() -> None:
    assert list(SOURCES) == ["dmon", "query", "replay"]
    assert all(row.name == name and row.summary for name, row in SOURCES.items())


def test_nvidia_smi_is_there_when_it_is_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [SOURCES[name].is_there() for name in ("dmon", "query")] == [False, False]
    tool(tmp_path, "exit 0", "nvidia-smi")
    assert [SOURCES[name].is_there() for name in ("dmon", "query")] == [True, True]


def test_a_tool_that_is_killed_is_started_again_and_the_gap_is_told(tmp_path: Path) -> None:
    before, before_mono = time.time(), time.monotonic()
    with tailing(tool(tmp_path, FOR_EVER)) as (source, samples):
        pid = int(eventually(lambda: loads(samples))[0] or 0)
        os.kill(pid, signal.SIGKILL)
        gap = eventually(lambda: ended_gaps(source))[0]
        assert source.status().restarts == 1
        eventually(lambda: loads(samples)[-1] != pid)
    assert gap.why == "invented died: killed by signal 9"
    assert gap.ended is not None and gap.ended_mono is not None
    assert before <= gap.began <= gap.ended <= time.time()
    assert before_mono <= gap.began_mono <= gap.ended_mono <= time.monotonic()


def test_a_tool_that_ends_is_quoted_and_its_gap_stays_open_until_a_sample(tmp_path: Path) -> None:
    with tailing(tool(tmp_path, "echo 'no driver here' >&2; exit 9")) as (source, samples):
        eventually(lambda: source.status().restarts > 2)
        status = source.status()
    assert status.complaint == "no driver here"
    assert [(gap.ended, gap.why) for gap in status.gaps] == [(None, "invented died: no driver here")]
    assert not samples


def test_a_tool_that_ends_without_a_word_gives_its_exit_status(tmp_path: Path) -> None:
    with tailing(tool(tmp_path, "exit 9")) as (source, _):
        gap = eventually(lambda: source.status().gaps)[0]
    assert gap.why == "invented died: exit status 9"


def test_each_pause_before_another_attempt_is_twice_the_last_one_up_to_a_bound(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    command = tool(tmp_path, f"date +%s%N >> '{starts}'; exit 3")
    with tailing(command, timing=TailTiming(first_restart_s=0.1, last_restart_s=0.4)):
        eventually(lambda: starts.exists() and len(starts.read_text().splitlines()) == 5)
    at_s = [int(line) / 1e9 for line in starts.read_text().splitlines()[:5]]
    pauses_s = [later - earlier for earlier, later in pairwise(at_s)]
    assert all(pause_s >= least_s for pause_s, least_s in zip(pauses_s, [0.1, 0.2, 0.4, 0.4], strict=True))


def test_the_pause_between_attempts_grows_no_longer_than_its_bound(tmp_path: Path) -> None:
    timing = TailTiming(first_restart_s=0.01, last_restart_s=0.02)  # unbounded, the 15th would be minutes
    with tailing(tool(tmp_path, "exit 3"), timing=timing) as (source, _):
        eventually(lambda: source.status().restarts >= 15)


def test_after_a_sample_the_next_pause_is_the_shortest_again(tmp_path: Path) -> None:
    timing = TailTiming(first_restart_s=0.01, last_restart_s=1e6)  # growing on, the 15th would be minutes
    with tailing(tool(tmp_path, 'echo \'{"gpu": 0, "load": 1}\''), timing=timing) as (_, samples):
        eventually(lambda: len(samples) >= 15)


def test_a_tool_that_is_not_on_path_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with tailing() as (source, samples):
        eventually(lambda: source.status().restarts)
        assert source.status().complaint == "invented-smi is not on PATH"
        made = tool(tmp_path, FOR_EVER, "being-made")
        Path(made[0]).rename(tmp_path / "invented-smi")
        eventually(lambda: samples)


def test_a_stopped_tool_is_quiet_and_replaced(tmp_path: Path) -> None:
    with tailing(tool(tmp_path, FOR_EVER), timing=SOON_QUIET) as (source, samples):
        pid = int(eventually(lambda: loads(samples))[-1] or 0)
        os.kill(pid, signal.SIGSTOP)
        gap = eventually(lambda: ended_gaps(source))[0]
        assert not is_running(pid)
        eventually(lambda: loads(samples)[-1] != pid)
    assert gap.why == "invented was quiet for 0.5 s"


def test_rubbish_is_no_sign_of_life(tmp_path: Path) -> None:
    command = tool(tmp_path, 'echo \'{"gpu": 0, "load": 1}\'; exec yes rubbish')
    with tailing(command, timing=SOON_QUIET) as (source, samples):
        eventually(lambda: len(samples) > 1)
        eventually(lambda: source.status().complaint == "rubbish")
        assert source.status().gaps[0].why == "invented was quiet for 0.5 s"


def test_a_tool_that_never_says_anything_is_started_again(tmp_path: Path) -> None:
    timing = TailTiming(start_up_s=0.1, least_quiet_s=0.1, first_restart_s=0.01, last_restart_s=0.01)
    with tailing(tool(tmp_path, "exec sleep 600"), timing=timing) as (source, _):
        eventually(lambda: source.status().restarts)
        assert source.status().gaps[0].why == "invented was quiet for 0.2 s"


def test_the_first_sample_may_take_longer(tmp_path: Path) -> None:
    """Several times as long as a tool may be quiet later."""
    restarts: list[int] = []
    timing = TailTiming(start_up_s=DEADLINE_S, least_quiet_s=0.05)
    command = tool(tmp_path, 'sleep 0.5; echo \'{"gpu": 0, "load": 1}\'; exec sleep 600')
    source = JsonSource(SourceConfig(0.0, lambda _: restarts.append(source.status().restarts)), command, timing=timing)
    with running(source):
        eventually(lambda: restarts)
    assert restarts[0] == 0


def test_what_is_refused_is_not_asked_for_again(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    (command,) = tool(tmp_path, f'echo "$1" >> {asked}; case $1 in much|more) exit 2;; esac; {FOR_EVER}')
    with tailing([command, "much"], [command, "more"], [command, "less"]) as (source, samples):
        pid = int(eventually(lambda: loads(samples))[0] or 0)
        assert (source.status().restarts, source.status().gaps) == (0, ())
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: ended_gaps(source))
    assert asked.read_text().split() == ["much", "more", "less", "less"]


def test_when_all_is_refused_it_begins_again_after_a_pause(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    (command,) = tool(tmp_path, f'echo "$1" >> {asked}; exit 2')
    with tailing([command, "more"], [command, "less"]) as (source, _):
        eventually(lambda: source.status().restarts > 1)
    assert asked.read_text().split()[:4] == ["more", "less", "more", "less"]


def test_a_tool_that_was_killed_before_its_first_sample_has_refused_nothing(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    (command,) = tool(tmp_path, f'echo "$1" >> {asked}; kill -9 $$')
    with tailing([command, "more"], [command, "less"]) as (source, _):
        eventually(lambda: source.status().restarts > 1)
    assert set(asked.read_text().split()) == {"more"}


def test_the_lines_of_a_tool_that_buffers_come_one_by_one(tmp_path: Path) -> None:
    with tailing([sys.executable, "-I", "-S", "-c", BUFFERING]) as (source, samples):
        eventually(lambda: len(samples) >= 5)
        assert len(samples) < 100  # a full buffer would hold 180
        assert (source.status().restarts, source.status().gaps) == (0, ())
    assert loads(samples) == list(range(1, len(samples) + 1))


def failing_at(load: float) -> Parse:
    def parse(line: str) -> Sample | None:
        sample = read_json(line)
        if sample is not None and sample.values["sm_pct"] == load:
            raise ValueError(load)
        return sample

    return parse


def test_a_line_that_the_parser_fails_at_is_a_lost_sample_and_the_others_come(tmp_path: Path) -> None:
    samples: list[Sample] = []
    rows = "".join(f'{{"gpu": 0, "load": {n}}}\\n' for n in (1, 2, 3))
    command = FallbackCommands("invented", lambda: failing_at(2), tool(tmp_path, f"printf '{rows}'; exec sleep 600"))
    config = SourceConfig(0.0, samples.append)
    source = TailSource(GPU, 0.0, config, command, AT_ONCE)
    with running(source):
        eventually(lambda: len(samples) == 2)
        assert (source.status().restarts, source.status().gaps) == (0, ())
    assert loads(samples) == [1, 3]
    assert config.failures.lost_samples == 1
    assert config.failures.all()[0].last.startswith("ValueError: 2 (test_tail.py:")


def test_a_source_that_fails_itself_ends_its_tool_and_starts_it_again_and_says_so(tmp_path: Path) -> None:
    samples: list[Sample] = []

    def take(sample: Sample) -> None:
        if not config.failures.all():
            raise ValueError(sample.values["sm_pct"])
        samples.append(sample)

    config = SourceConfig(0.0, take)
    source = JsonSource(config, tool(tmp_path, FOR_EVER), timing=AT_ONCE)
    with running(source):
        eventually(lambda: samples)
        (gap,) = eventually(lambda: ended_gaps(source))
        status = source.status()
    (failure,) = config.failures.all()
    first = int(float(failure.last.split()[1]))
    assert (failure.where, failure.times) == ("invented", 1)
    assert not Path(f"/proc/{first}").exists(), "neither running nor a zombie"
    assert loads(samples)[0] != first
    assert (status.restarts, status.is_alive) == (1, True)
    assert gap.why == f"invented failed: {failure.last}"


def test_a_tool_without_a_terminal_is_read_from_a_pipe_which_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> tuple[int, int]:
        raise OSError(errno.ENOENT, "No such file or directory")

    with tailing(tool(tmp_path, FOR_EVER)) as (source, samples):
        assert eventually(lambda: source.status().output) == "terminal"
        monkeypatch.setattr(os, "openpty", none)
        os.kill(int(eventually(lambda: loads(samples))[-1] or 0), signal.SIGKILL)
        eventually(lambda: source.status().output == "pipe")
        n = len(samples)
        eventually(lambda: len(samples) > n)
        assert source.status().note.startswith("no terminal to be had (No such file or directory): ")


def test_samples_that_were_read_at_once_are_a_period_apart_and_no_older_than_they_can_be() -> None:
    rows = [Sample(GPU, {"sm_pct": n}, gpu) for n in range(4) for gpu in (0, 1)]
    ages = [(sample.values["sm_pct"], sample.gpu, sample.age_s) for sample in with_ages(rows, 2.0, 5.0)]
    assert ages == [(n, gpu, age_s) for n, age_s in enumerate([5.0, 4.0, 2.0, 0.0]) for gpu in (0, 1)]
    assert with_ages(rows, 2.0, 0.0) == rows


def test_what_a_tool_keeps_back_on_a_pipe_is_waited_for_and_has_the_times_at_which_it_was_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none() -> tuple[int, int]:
        raise OSError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(os, "openpty", none)
    samples: list[Sample] = []
    timing = replace(SOON_QUIET, on_pipe_s=DEADLINE_S)  # the first 4 KiB take 180 lines of 0.02 s, quiet is 0.5 s
    command = FallbackCommands("invented", lambda: read_json, [sys.executable, "-I", "-S", "-c", BUFFERING])
    source = TailSource(GPU, 0.02, SourceConfig(0.02, samples.append), command, timing)
    with running(source):
        eventually(lambda: samples)
        first = list(samples)
        assert (source.status().restarts, source.status().gaps) == (0, ())
    assert loads(first) == list(range(1, len(first) + 1))
    assert [sample.age_s for sample in first] == pytest.approx([0.02 * n for n in reversed(range(len(first)))])
    assert len(first) > 100


def test_what_a_tool_printed_while_the_sidecar_was_stopped_has_the_times_at_which_it_was_taken(tmp_path: Path) -> None:
    command = tool(tmp_path, "n=0; while :; do n=$((n+1)); echo '{\"gpu\": 0, \"load\": '$n'}'; sleep 0.1; done")
    process = subprocess.Popen([sys.executable, "-c", STOPPED, *command], stdout=subprocess.PIPE, cwd=CHECKOUT)
    with process:
        try:
            read_line(process)
            process.send_signal(signal.SIGSTOP)
            time.sleep(2.5)  # rows pile up in the terminal
            process.send_signal(signal.SIGCONT)
            told = list[list[float]]()
            while len(told) < 200 and (not any(age_s for _, age_s in told) or told[-1][1] > 0.0):
                told.append(json.loads(read_line(process)))
        finally:
            process.kill()
    late = [age_s for _, age_s in told if age_s]
    assert late == pytest.approx([0.1 * n for n in range(len(late), 0, -1)])
    assert len(late) > 1  # a busy machine gives the tool little of these 2.5 s
    loads_told = [load for load, _ in told]
    assert loads_told == list(range(int(loads_told[0]), int(loads_told[0]) + len(told)))


# Prints load and age of each sample, one every 0.1 s.
STOPPED = """\
import json, sys, time
sys.path.insert(0, "tests/gpu_sidecar")
from test_tail import GPU, SOON_QUIET, FallbackCommands, SourceConfig, TailSource, read_json

def say(sample):
    print(json.dumps([sample.values["sm_pct"], sample.age_s]), flush=True)

command = FallbackCommands("invented", lambda: read_json, sys.argv[1:])
TailSource(GPU, 0.1, SourceConfig(0.1, say), command, SOON_QUIET).start()
time.sleep(600)
"""


def test_what_a_tool_says_on_stderr_is_told_and_falls_into_no_row(tmp_path: Path) -> None:
    script = "while :; do printf '{\"gpu\": 0, '; echo 'a warning' >&2; echo '\"load\": 1}'; sleep 0.02; done"
    with tailing(tool(tmp_path, script)) as (source, samples):
        eventually(lambda: len(samples) > 3)
        eventually(lambda: source.status().complaint == "a warning")
    assert set(loads(samples)) == {1}


def test_the_first_line_of_a_failure_is_told(tmp_path: Path) -> None:
    command = tool(tmp_path, "echo 'Failed to initialize it: versions differ'; echo 'its version: 535'; exit 18")
    with tailing(command) as (source, _):
        gap = eventually(lambda: source.status().gaps)[0]
        assert source.status().complaint == "Failed to initialize it: versions differ"
    assert gap.why == "invented died: Failed to initialize it: versions differ"


def test_a_complaint_that_was_got_over_is_no_longer_told(tmp_path: Path) -> None:
    failed = tmp_path / "failed"
    command = tool(tmp_path, f"[ -e '{failed}' ] || {{ touch '{failed}'; echo 'no driver yet'; exit 9; }}; {FOR_EVER}")
    with tailing(command) as (source, samples):
        eventually(lambda: samples)
        assert source.status().complaint == ""
        assert [gap.why for gap in source.status().gaps] == ["invented died: no driver yet"]


def test_a_warning_of_a_tool_that_works_stays(tmp_path: Path) -> None:
    with tailing(tool(tmp_path, f"echo 'WARNING: infoROM is corrupted'; {FOR_EVER}")) as (source, samples):
        eventually(lambda: len(samples) > 2)
        assert source.status().complaint == "WARNING: infoROM is corrupted"


def test_another_choice_of_gpus_starts_the_tool_again_only_for_a_gpu_that_it_was_not_asked_for(tmp_path: Path) -> None:
    chosen: list[int] = [6]
    asked = tmp_path / "asked"
    script = "while :; do echo '{\"gpu\": '$1', \"load\": 1}'; sleep 0.02; done"
    (command,) = tool(tmp_path, f'echo "$1" >> {asked}; {script}')

    class Choosing(FallbackCommands):
        def argv(self, only: Sequence[int]) -> list[str]:
            return [command, str(only[-1])]

    samples: list[Sample] = []
    config = SourceConfig(0.0, samples.append, only=lambda: tuple(chosen))
    source = TailSource(GPU, 0.0, config, Choosing("invented", lambda: read_json, []), AT_ONCE)
    with running(source):
        eventually(lambda: samples)
        chosen.append(7)
        eventually(lambda: samples[-1].gpu == 7)
        chosen.remove(6)
        n = len(samples)
        eventually(lambda: len(samples) > n + 5)
        assert (source.status().restarts, source.status().gaps) == (0, ())
    assert asked.read_text().split() == ["6", "7"]


QUIET_S = 1.0
PER_GPU = TailTiming(first_restart_s=0.01, last_restart_s=0.01, least_quiet_s=QUIET_S)


def gaps_of_gpus(source: TailSource) -> list[tuple[int | None, str, bool]]:
    """GPU, reason, and whether it lasts; on a busy machine the whole tool may be quiet too."""
    return [(gap.gpu, gap.why, gap.ended is None) for gap in source.status().gaps if gap.gpu is not None]


def test_a_gpu_whose_row_is_missing_has_a_gap_of_its_own_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    samples: list[Sample] = []
    doubts: list[bool] = []
    config = SourceConfig(0.0, samples.append, only=lambda: (0, 4), on_gap=lambda: doubts.append(True))
    row = '{"gpu": 0, "load": 1}'
    command = tool(tmp_path, f"while :; do echo '{row}'; sleep 0.02; done")
    source = JsonSource(config, command, timing=PER_GPU)
    with running(source):
        assert eventually(lambda: gaps_of_gpus(source)) == [(4, "invented prints no row of it", True)]
        n = len(samples)
        eventually(lambda: len(samples) > n + 5)
    assert caplog.messages.count("GPU 4: invented prints no row of it") == 1
    assert doubts


# As nvidia-smi may do when one GPU has fallen off the bus: asked for it by number it fails, asked for all it goes on.
BROKEN_GPU = """\
case "$1" in *1*) echo "Unable to determine the device handle for GPU 1: GPU is lost"; exit 15;; esac
while :; do echo '{"gpu": 0, "load": 97}'; sleep 0.02; done
"""


def test_a_broken_gpu_does_not_cost_the_samples_of_the_others(tmp_path: Path) -> None:
    (command,) = tool(tmp_path, BROKEN_GPU)

    class Numbered(FallbackCommands):
        def argv(self, only: Sequence[int]) -> list[str]:
            return [command, *map(str, only[:1]), *map(str, only[1:])] if only else [command, "all"]

        def is_refusal(self, status: int, output: Sequence[str]) -> bool:
            return False

    samples: list[Sample] = []
    config = SourceConfig(0.0, samples.append, only=lambda: (1, 0))
    source = TailSource(GPU, 0.0, config, Numbered("invented", lambda: read_json, []), PER_GPU)
    with running(source):
        assert eventually(lambda: gaps_of_gpus(source)) == [(1, "invented prints no row of it", True)]
        status = source.status()
    assert {sample.gpu for sample in samples} == {0}
    assert status.gaps[0].why == "invented died: Unable to determine the device handle for GPU 1: GPU is lost"
    assert status.complaint == "GPU 1: invented prints no row of it"


LOST = """\
lost='{"gpu": 0, "fault": "[GPU is lost]"}'
fine='{"gpu": 0, "load": 97}'
other='{"gpu": 1, "load": 5}'
while :; do
  if [ -e "$0.flip" ]; then echo "$lost"; else echo "$fine"; fi
  echo "$other"
  sleep 0.02
done
"""


def test_a_gpu_that_is_lost_has_a_gap_in_the_tools_own_words_until_it_is_back(tmp_path: Path) -> None:
    command = tool(tmp_path, LOST)
    flip = Path(f"{command[0]}.flip")
    with tailing(command, timing=PER_GPU) as (source, samples):
        eventually(lambda: samples)
        flip.touch()
        assert eventually(lambda: gaps_of_gpus(source)) == [(0, "[GPU is lost]", True)]
        assert source.status().complaint == "GPU 0: [GPU is lost]"
        (began_mono,) = [gap.began_mono for gap in source.status().gaps if gap.gpu == 0]
        assert began_mono <= time.monotonic() - QUIET_S  # at its last figures, and not when that was noticed
        flip.unlink()
        eventually(lambda: gaps_of_gpus(source) == [(0, "[GPU is lost]", False)])
        assert source.status().complaint == ""


def test_rows_without_figures_that_are_short_of_the_limit_are_no_gap(tmp_path: Path) -> None:
    script = 'while :; do echo \'{"gpu": 0, "fault": ""}\'; echo \'{"gpu": 0, "load": 1}\'; sleep 0.02; done'
    with tailing(tool(tmp_path, script), timing=PER_GPU) as (source, samples):
        eventually(lambda: len(samples) > 20)
        assert gaps_of_gpus(source) == []


def test_a_line_cut_off_by_the_tools_death_is_no_sample(tmp_path: Path) -> None:
    command = tool(tmp_path, 'echo \'{"gpu": 0, "load": 7}\'; printf \'{"gpu": 0, "load": 8}\'')
    with tailing(command) as (_, samples):
        eventually(lambda: len(samples) > 2)
    assert set(loads(samples)) == {7.0}


def test_stop_leaves_nothing_even_of_a_stopped_tool_with_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    told = tmp_path / "told"
    command = tool(tmp_path, f"trap 'echo > {told}; exit' TERM; sleep 600 & echo $$ $! > {pids}; {FOR_EVER}")
    with tailing(command) as (_, samples):
        eventually(lambda: samples)
        shell, child = (int(pid) for pid in pids.read_text().split())
        os.kill(shell, signal.SIGSTOP)
        assert is_running(shell)
        assert is_running(child)
    assert not is_running(shell)
    eventually(lambda: not is_running(child))
    assert told.exists()  # it was asked to end before it was made to


def test_stop_does_not_wait_for_the_next_attempt(tmp_path: Path) -> None:
    source = JsonSource(
        SourceConfig(1.0, lambda _: None), tool(tmp_path, "exit 1"), timing=TailTiming(first_restart_s=1e6)
    )
    with running(source):
        eventually(lambda: source.status().gaps)
    assert not source.status().is_alive


def test_a_source_that_was_never_started_can_be_stopped() -> None:
    JsonSource(SourceConfig(1.0, lambda _: None)).stop()


PARENT = """\
import sys, time
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from test_tail import SourceConfig, JsonSource
source = JsonSource(SourceConfig(1.0, lambda sample: print(int(sample.values["sm_pct"]), flush=True)), sys.argv[3:])
source.start()
sys.stdin.read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the tool ends at its next line")
def test_kill_9_of_its_parent_ends_even_a_stopped_tool(tmp_path: Path) -> None:
    command = tool(tmp_path, FOR_EVER)
    folders = [str(CHECKOUT), str(Path(__file__).parent)]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *folders, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent:
        pid = int(read_line(parent))
        os.kill(pid, signal.SIGSTOP)
        parent.kill()
        eventually(lambda: not is_running(pid))


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_lines_come_out_whole_however_the_pieces_fall(texts: list[bytes], size: int) -> None:
    output = b"".join(text + b"\n" for text in texts) + b"cut off"
    lines = LineBuffer()
    found = [line for at in range(0, len(output), size) for line in lines.feed(output[at : at + size])]
    assert found == [line.decode("utf-8", "replace") for line in output.split(b"\n")[:-1]]


def test_a_line_without_end_is_thrown_away_to_its_end() -> None:
    lines = LineBuffer()
    found = [line for _ in range(5) for line in lines.feed(b"0 1 2 " * 10_000)]
    assert [*found, *lines.feed(b"0 1 2\n3 4 5\n6"), *lines.feed(b" 7\n")] == ["3 4 5", "6 7"]
