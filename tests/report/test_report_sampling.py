"""Whole runs with samples, and what goes wrong with them: what the stages and notes of the report then say."""

from typing import Any

import pytest
from made_run import MadeRun, made_run
from made_samples import gap_entry, gpu_entry, sidecar_entry

from stt_load.report.build import build_report
from stt_load.report.model import RunReport
from stt_load.report.table import headings, rows
from stt_load.report.wording import knee_sentence


def watched(**changes: Any) -> MadeRun:
    """Two stages of 30 s, with samples of GPU, server and host."""
    made = made_run(ladder=(5, 10), per_stage=10, host=True)
    made.run |= {"gpu": [gpu_entry()], "sidecars": [sidecar_entry(**changes)]}
    return made


def built(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def notes_on_samples(report: RunReport) -> list[str]:
    return [note for note in report.notes if "sample" in note]


def coverages(report: RunReport, kind: str) -> list[float | None]:
    return [None if stage.coverage(kind) is None else round(stage.coverage(kind) or 0, 2) for stage in report.stages]


def test_a_clean_run_is_covered_and_needs_no_note() -> None:
    report = built(watched())
    assert [figures.device.name for figures in report.stages[0].devices] == ["GPU 0", "server", "host"]
    assert coverages(report, "gpu") == coverages(report, "process") == coverages(report, "host") == [1.0, 1.0]
    assert notes_on_samples(report) == []


def test_streams_per_gpu_count_the_gpus_that_worked() -> None:
    made = watched()
    idle = [{**row, "gpu": 1, "sm_pct": 0} for row in made.gpu]
    busy = [{**row, "gpu": 2} for row in made.gpu]
    made.gpu += [*idle, *busy]
    report = built(made)
    assert [stage.streams_per_gpu for stage in report.stages] == [2.5, 5.0]
    assert "callers (5 for each GPU that worked)" in knee_sentence(report.knee)
    made.gpu = idle
    made.run["gpu"] = []
    assert [stage.streams_per_gpu for stage in built(made).stages] == [None, None]


def test_two_mig_devices_are_parts_of_one_gpu() -> None:
    made = watched()
    made.gpu = [{**row, "mig": mig} for mig in (1, 2) for row in made.gpu]
    stage = built(made).stages[0]
    assert [f.device.name for f in stage.devices if f.device.kind == "gpu"] == ["GPU 0 MIG 1", "GPU 0 MIG 2"]
    assert (stage.streams_per_gpu, stage.coverage("gpu")) == (5.0, 1.0)


def test_a_source_that_was_quiet_is_told_with_its_reason() -> None:
    made = watched()
    start = made.span(1)[0]
    made.gpu = [row for row in made.gpu if not start + 11.5 < row["t"] < start + 19.5]
    gaps = [gap_entry(start + 11, start + 20, "dmon was quiet for 3 s")]
    made.run["sidecars"] = [sidecar_entry(gaps)]
    report = built(made)
    assert coverages(report, "gpu") == [1.0, 0.73]
    assert coverages(report, "process") == [1.0, 1.0]
    assert notes_on_samples(report) == [
        "GPU samples missing 11.0–20.0 s into the hold at 10 callers: dmon was quiet for 3 s"
    ]


def test_a_source_that_dies_again_and_again_is_missing_for_as_long_as_it_says() -> None:
    made = watched()
    start = made.span(1)[0]
    died = [start + 3 * n + 0.5 for n in range(10)]  # each time two samples come, and one doesn't
    made.gpu = [row for row in made.gpu if not any(0.5 < row["t"] - at < 1.5 for at in died)]
    made.run["sidecars"] = [sidecar_entry([gap_entry(at, at + 2, "dmon died") for at in died])]
    assert coverages(built(made), "gpu") == [1.0, pytest.approx(2 / 3, abs=0.02)]


def test_a_sidecar_that_was_restarted_in_a_hold_is_told_from_its_samples() -> None:
    made = watched()
    start = made.span(0)[0]
    made.drop_samples(start + 10, start + 15)
    for row in made.samples:
        row["boot"] = "first" if row["t"] < start + 12 else "second"
    assert notes_on_samples(built(made)) == [
        f"{kind} samples missing 10.0–15.0 s into the hold at 5 callers: the sidecar was restarted"
        for kind in ("GPU", "CPU")
    ]


def test_a_sidecar_that_died_leaves_its_devices_in_every_later_stage_without_figures() -> None:
    made = watched()
    made.drop_samples(made.span(0)[1] + 1, made.span(1)[1] + 60)
    report = built(made)
    assert [f.device.name for f in report.stages[1].devices] == ["GPU 0", "server", "host"]
    assert coverages(report, "gpu") == coverages(report, "process") == [1.0, 0.0]
    assert notes_on_samples(report) == [
        f"{kind} samples missing for the whole hold at 10 callers: none came later in the run"
        for kind in ("GPU", "CPU")
    ]


def test_a_sidecar_that_was_never_reached_is_named_and_its_gpu_is_missing() -> None:
    made = made_run(ladder=(5,), per_stage=10, gpu=False)
    made.run["sidecars"] = [{"url": "http://10.0.0.7:9550", "host": None, "why": "nobody answers there"}]
    report = built(made)
    assert coverages(report, "gpu") == [0.0]
    assert "no samples from the GPU sidecar http://10.0.0.7:9550: nobody answers there" in report.notes


def test_without_a_sidecar_there_are_no_devices() -> None:
    report = built(made_run(ladder=(5,), per_stage=10, gpu=False))
    assert report.stages[0].devices == ()
    assert coverages(report, "gpu") == [None]


def test_gpus_that_were_sampled_before_the_choice_was_made_are_not_missed_later() -> None:
    made = watched()
    made.gpu += [{**row, "gpu": 7} for row in made.gpu if row["stage"] == 0]
    report = built(made)
    assert [len(stage.devices) for stage in report.stages] == [4, 3]
    assert coverages(report, "gpu") == [1.0, 1.0]


def test_a_gpu_that_the_server_turned_out_not_to_use_is_not_missed() -> None:
    made = watched()
    made.run["gpu"] = []
    made.gpu = [row for row in made.gpu if row["t"] < made.span(0)[0]]
    report = built(made)
    assert coverages(report, "gpu") == [None, None]
    assert notes_on_samples(report) == []


def test_where_one_of_two_gpus_is_not_sampled_nobody_knows_the_busiest() -> None:
    made = watched()
    made.run["gpu"].append(gpu_entry(index=1))
    stage = built(made).stages[0]
    assert (stage.coverage("gpu"), stage.is_covered("gpu"), stage.streams_per_gpu) == (0.0, False, None)


def test_a_run_that_was_killed_in_a_hold_has_figures_and_no_coverage() -> None:
    made = watched()
    hold = next(n for n, row in enumerate(made.transitions) if row["stage"] == 1 and row["phase"] == "hold")
    made.transitions = made.transitions[: hold + 1]
    made.gpu = [row for row in made.gpu if (row["stage"], row["phase"]) != (1, "grace")]
    stage = built(made).stages[1]
    gpu = stage.busiest("gpu")
    assert gpu is not None and gpu.busy.n == 30
    assert (stage.coverage("gpu"), gpu.energy_j) == (None, None)


def test_tags_that_disagree_with_the_stages_are_counted() -> None:
    made = watched()
    for row in made.gpu:
        row["t"] += 10
    report = built(made)
    (note,) = [note for note in report.notes if "tagged with another stage" in note]
    wrong, _, of_all, *_ = note.split()
    assert int(wrong) > 10
    assert int(of_all) == len(made.samples)
    assert "check that the clocks of master and sidecar agree" in note


def test_a_clock_known_to_ten_seconds_explains_ten_seconds() -> None:
    made = watched(clock_uncertainty_s=10.0)
    for row in made.gpu:
        row["t"] += 10
    assert not any("tagged with another stage" in note for note in built(made).notes)


@pytest.mark.parametrize("duty", [True, False])
def test_energy_is_shared_out_over_the_audio_that_callers_sent(duty: bool) -> None:
    made = watched()
    if not duty:
        made.utterances = []
    stage = built(made).stages[0]
    gpu = stage.busiest("gpu")
    assert gpu is not None and gpu.energy_j is not None
    assert gpu.energy_j == pytest.approx((gpu.of("power_w").mean or 0) * 30)
    if duty:
        audio_min = (stage.duty_cycle or 0) * 5 * 30 / 60
        assert gpu.energy_per_audio_minute_j == pytest.approx(gpu.energy_j / audio_min)
    else:
        assert gpu.energy_per_audio_minute_j is None


def lost(row: dict[str, Any], *fields: str) -> dict[str, Any]:
    """The row with these fields unknown; without any, all that a GPU says."""
    names = fields or ("sm_pct", "mem_pct", "fb_mib", "power_w", "power_violation_pct", "thermal_violation")
    return {**row, **dict.fromkeys(names)}


def gpu_cells(report: RunReport, users: int = 10) -> dict[str, str]:
    (row,) = [row for row in rows(report) if row[0] == str(users)]
    return {name: cell for name, cell in zip(headings(report), row, strict=True) if "GPU%" in name or "VRAM" in name}


def test_a_gpu_that_is_lost_in_a_hold_is_covered_until_then_and_the_tools_words_are_told() -> None:
    """Its rows go on to come, without figures."""
    made = watched()
    start = made.span(1)[0]
    made.gpu = [lost(row) if row["t"] > start + 6 else row for row in made.gpu]
    made.run["sidecars"] = [sidecar_entry([gap_entry(start + 5.5, None, "[GPU is lost]") | {"kind": "gpu", "gpu": 0}])]
    report = built(made)
    assert coverages(report, "gpu") == [1.0, pytest.approx(0.2, abs=0.02)]
    assert notes_on_samples(report) == [
        "samples of GPU 0 missing 5.5–30.0 s into the hold at 10 callers: [GPU is lost]"
    ]
    assert set(gpu_cells(report).values()) == {"lost"}
    made.run["sidecars"] = [sidecar_entry()]  # an older sidecar, which records no such gap
    report = built(made)
    assert coverages(report, "gpu") == [1.0, pytest.approx(0.2, abs=0.02)]
    assert notes_on_samples(report) == [
        "GPU samples missing 6.0–30.0 s into the hold at 10 callers: none came later in the run"
    ]


def test_each_figure_is_covered_by_the_samples_that_hold_it() -> None:
    made = watched()
    start = made.span(1)[0]
    made.gpu = [lost(row, "sm_pct") if row["t"] > start + 20 else row for row in made.gpu]
    report = built(made)
    cells = gpu_cells(report)
    assert cells["GPU%p95"].endswith("?") and cells["GPU%mean"].endswith("?")
    assert not cells["VRAM peak"].endswith("?") and not cells["VRAM mean"].endswith("?")
    gpu = report.stages[1].busiest("gpu")
    assert gpu is not None
    assert (gpu.coverage_of("sm_pct"), gpu.coverage_of("fb_mib")) == (gpu.coverage, 1.0)
    assert gpu.energy_j is not None


def test_a_gpu_that_never_says_how_busy_it_is_is_covered_by_its_memory() -> None:
    """MIG devices, and GPUs whose driver has no utilisation: that column is empty, not lost."""
    made = watched()
    made.gpu = [lost(row, "sm_pct") for row in made.gpu]
    report = built(made)
    assert coverages(report, "gpu") == [1.0, 1.0]
    assert notes_on_samples(report) == []
    cells = gpu_cells(report)
    assert "GPU%p95" not in cells
    assert cells["VRAM peak"].isdigit()


def test_a_gpu_that_never_has_a_figure_is_lost_and_not_covered() -> None:
    made = watched()
    made.gpu = [lost(row) for row in made.gpu]
    made.run["sidecars"] = [
        sidecar_entry([gap_entry(made.span(0)[0] - 9, None, "[GPU requires reset]") | {"kind": "gpu", "gpu": 0}])
    ]
    report = built(made)
    assert coverages(report, "gpu") == [0.0, 0.0]
    assert notes_on_samples(report) == [
        "samples of GPU 0 missing for the whole hold at 5, 10 callers: [GPU requires reset]"
    ]


def test_a_gpu_whose_figures_are_all_on_its_mig_devices_is_no_device_of_its_own() -> None:
    made = watched()
    made.gpu = [row for row in made.gpu for row in (lost(row), {**row, "mig": 1})]
    report = built(made)
    assert [f.device.name for f in report.stages[0].devices if f.device.kind == "gpu"] == ["GPU 0 MIG 1"]
    assert (coverages(report, "gpu"), notes_on_samples(report)) == ([1.0, 1.0], [])


@pytest.mark.parametrize("is_old", [False, True], ids=["a sidecar of today", "an older one"])
def test_a_dead_server_has_no_memory_rather_than_none_used(is_old: bool) -> None:
    made = watched()
    start = made.span(1)[0]
    gone = {"cpu_cores": 0.0 if is_old else None, "rss_mib": 0.0 if is_old else None, "processes": 0}
    made.host = [{**row, **gone} if row["kind"] == "process" and row["t"] > start + 6 else row for row in made.host]
    if not is_old:
        gap = gap_entry(start + 5.5, None, "the server's processes have ended") | {"kind": "process", "gpu": None}
        made.run["sidecars"] = [sidecar_entry()]
        made.run["sidecars"][0]["sources"][1]["gaps"] = [gap]
    report = built(made)
    assert coverages(report, "process") == [1.0, pytest.approx(0.2, abs=0.02)]
    assert coverages(report, "host") == [1.0, 1.0]
    server = report.stages[1].busiest("process")
    assert server is not None and (server.memory.mean or 0) > 1_000
    (note,) = notes_on_samples(report)
    assert note.startswith("samples of the server missing ")
    assert note.endswith("none came later in the run" if is_old else "the server's processes have ended")


def test_a_source_that_may_be_quiet_for_longer_is_not_missed_sooner() -> None:
    """The sidecar, /metrics and the report have one limit: asked for ten samples a second, the tool gave one."""
    made = watched()
    source = made.run["sidecars"][0]["sources"][0]
    source |= {"period_s": 0.1, "limit_s": 2.0}
    assert coverages(built(made), "gpu") == [1.0, 1.0]
    del source["limit_s"]
    assert coverages(built(made), "gpu") != [1.0, 1.0]


def test_a_guess_and_what_the_tool_warned_of_are_told() -> None:
    made = watched(is_guess=True, warnings=["nvidia-smi: WARNING: infoROM is corrupted"])
    made.run["sidecars"][0]["sources"][0]["note"] = "dmon: Not supported on the device(s); query is used instead"
    notes = built(made).notes
    assert "which GPUs of gpu the server uses is a guess: pid 4242 (python3) uses GPU 0" in notes
    assert "gpu: nvidia-smi: WARNING: infoROM is corrupted" in notes
    assert "gpu: dmon: Not supported on the device(s); query is used instead" in notes
