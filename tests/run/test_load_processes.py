"""How many processes play the callers of a run: said by somebody, or chosen and then said."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_calibration import found

from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.store import save
from stt_load.cli.run import with_enough_processes
from stt_load.config import parse_options
from stt_load.options import PlanKind
from stt_load.run.load_processes import (
    CHOICE_OPTION,
    one_per_core_but_one,
    parse_processes,
    processes_note,
    why_late,
)


@pytest.fixture(autouse=True)
def _own_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path))


def give_cores(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """Lets this process run on so many cores, as far as it can see; without the limit of its container."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(n)))
    monkeypatch.setattr("stt_load.calibration.host_probe.container_cpu_limit", lambda *_: None)


@pytest.mark.parametrize(("text", "processes"), [("auto", "auto"), ("1", 1), ("12", 12), ("-1", -1)])
def test_a_number_of_processes_or_auto(text: str, processes: object, monkeypatch: pytest.MonkeyPatch) -> None:
    give_cores(monkeypatch, 2)
    assert parse_processes(text) == processes


@pytest.mark.parametrize("text", ["0", "-2", "two", "1.5", "", "AUTO"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="write a whole number from 1, or auto"):
        parse_processes(text)


def test_a_number_that_no_machine_like_this_can_play_with_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    give_cores(monkeypatch, 2)
    assert parse_processes("32") == 32
    with pytest.raises(ValueError, match="33 processes would share 2 cores: write 32 at most, or auto"):
        parse_processes("33")


@pytest.mark.parametrize(
    ("cores", "number", "note"),
    [
        (1, 1, "1 load process (auto): of 1 core that may be used"),
        (2, 1, "1 load process (auto): of 2 cores that may be used, one is left for everything else"),
        (8, 7, "7 load processes (auto): of 8 cores that may be used, one is left for everything else"),
    ],
)
def test_auto_is_one_per_core_but_one_and_says_so(
    cores: int, number: int, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_cores(monkeypatch, cores)
    assert (one_per_core_but_one().number, one_per_core_but_one().note) == (number, note)


def test_the_largest_stage_that_can_come_decides_whether_one_process_would_be_late() -> None:
    config = parse_options({"dialect": "vosk", "concurrency": "1,501,5", "max": "502"})
    assert "with 501 callers" in (why_late(config, PlanKind.LADDER) or "")
    assert "with 502 callers" in (why_late(config, PlanKind.SEARCH) or "")
    assert why_late(config, PlanKind.FOLLOW) is None  # somebody at the web UI decides
    assert why_late(parse_options({"dialect": "upload-openai", "concurrency": "5000"}), PlanKind.LADDER) is None


@pytest.mark.parametrize(
    ("cores", "callers", "words", "environment", "taken"),
    [
        (8, 50, [], {}, ["--processes", "auto"]),
        (8, 40, [], {}, []),  # one keeps them on time
        (2, 50, [], {}, []),  # there is no core for a second one
        (8, 50, ["--processes", "1"], {}, ["--processes", "1"]),
        (8, 50, ["--processes=2"], {}, ["--processes=2"]),
        (8, 50, ["--master"], {}, ["--master"]),
        (8, 50, ["--config", "locust.conf"], {}, ["--config", "locust.conf"]),  # which may say it
        (8, 50, [], {"LOCUST_PROCESSES": "2"}, []),
        (8, 50, [], {"LOCUST_MODE_WORKER": "1"}, []),
    ],
)
def test_more_processes_are_taken_where_one_would_be_late_and_nobody_has_said_how_many(
    cores: int,
    callers: int,
    words: list[str],
    environment: dict[str, str],
    taken: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give_cores(monkeypatch, cores)
    save(found(host=describe_host(), callers=40))
    config = parse_options({"dialect": "vosk", "concurrency": str(callers)})
    assert with_enough_processes(words, config, PlanKind.LADDER, environment) == taken


def test_the_note_of_a_run_says_why_there_are_several_and_what_overrules_it() -> None:
    config = parse_options({"dialect": "vosk", "concurrency": "4,4000"})
    assert processes_note({}, config, PlanKind.LADDER) is None
    note = processes_note({CHOICE_OPTION: "7 load processes (auto)"}, config, PlanKind.LADDER)
    assert note == (
        "7 load processes (auto); one process would be late with 4,000 callers: it is believed to keep 500 on time "
        "(this machine has not been calibrated); --processes 1 overrules it"
    )
    assert (
        processes_note({CHOICE_OPTION: "as asked"}, parse_options({"dialect": "vosk"}), PlanKind.LADDER) == "as asked"
    )
