"""Which results can be compared, what is told of them, and how the command ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_calls import made_calls
from made_course import spike_run, spike_run_cut_short
from made_results import compared, run_of, tts_json
from made_run import MadeRun, made_speech, made_uploads
from made_search import made_search

from stt_load.comparison.run_folder import read_run
from stt_load.sealed_lines import sealed_file

Folders = dict[str, Path]


def lines_of(*words: Any) -> list[dict[str, Any]]:
    done = compared(*words, "--json", "-")
    lines: list[dict[str, Any]] = json.loads(done.printed)["lines"]
    return lines


def line_of(lines: list[dict[str, Any]], metric: str, load: str | None) -> dict[str, Any]:
    return next(line for line in lines if (line["metric"], line["load"]) == (metric, load))


def test_two_runs_of_one_server_are_no_change_and_end_with_0(folders: Folders) -> None:
    done = compared(folders["before"], folders["again"])
    assert done.code == 0
    assert "NO REGRESSION (exit code 0)\nNo change that can be told from noise.\n" in done.printed
    assert "Target Status: 3/3 metrics passing" in done.printed


def test_a_server_that_holds_fewer_is_told_for_certain(folders: Folders) -> None:
    holds = line_of(lines_of(folders["before"], folders["after"]), "holds", None)
    assert [cell["value"] for cell in holds["cells"]] == [20, 10]
    assert (holds["cells"][1]["word"], holds["cells"][1]["is_regression"]) == ("holds fewer", True)
    back = line_of(lines_of(folders["after"], folders["before"]), "holds", None)
    assert (back["cells"][1]["word"], back["cells"][1]["is_regression"]) == ("holds more", False)


def test_a_faster_server_is_no_regression(folders: Folders) -> None:
    done = compared(folders["after"], folders["before"], "--at", 20)
    assert done.code == 0
    assert "At 20 callers: EOS P95 is faster" in done.printed


@pytest.mark.parametrize(
    ("fail_on", "code"), [("none", 0), ("targets", 3), ("regression", 3), ("regression,targets", 3)]
)
def test_what_fails_is_what_was_asked_for(folders: Folders, fail_on: str, code: int) -> None:
    assert compared(folders["before"], folders["after"], "--fail-on", fail_on).code == code


def test_a_missed_target_alone_fails_only_where_targets_do(folders: Folders, tmp_path: Path) -> None:
    targets = tmp_path / "mine.toml"
    targets.write_text('callers = 1\n[EOS]\nmetric = "eos_latency:p50"\ntarget = "< 100 ms"\n')
    done = compared(folders["before"], folders["again"], "--targets", targets)
    assert done.code == 3
    assert "TARGET MISSED (exit code 3)" in done.printed
    assert "at 1 caller" in done.printed
    assert compared(folders["before"], folders["again"], "--targets", targets, "--fail-on", "regression").code == 0


def test_stages_with_as_many_callers_are_repeats(tmp_path: Path) -> None:
    runs = [run_of(f"run {seed}", seed, ladder=(10, 10, 10)).write(tmp_path / str(seed)) for seed in (1, 2)]
    cells = line_of(lines_of(*runs), "eos_latency:p95", "10")["cells"]
    assert cells[1]["noise_from"] == "repeats"


def test_uploads_and_speech_have_boxes_of_their_own(tmp_path: Path) -> None:
    made = {"upload": made_uploads((1, 4)), "tts": made_speech((1, 4))}
    for name, run in made.items():
        folders = []
        for label in ("one", "two"):
            run.run["label"] = label
            folders.append(run.write(tmp_path / f"{name}-{label}"))
        lines = lines_of(*folders)
        assert line_of(lines, "total:p95", "1")["cells"][1]["word"] == "no change"
        assert {line["metric"] for line in lines} >= ({"wer"} if name == "upload" else {"first_audio:mean"})


def test_of_result_files_only_means_have_noise_and_repeats_have_it_all(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.json" for n in range(6)]
    for n, file in enumerate(files):
        file.write_text(tts_json(1.3 if n > 2 else 1.0, seed=n))
    alone = lines_of(files[0], files[3])
    assert line_of(alone, "total:mean", "all texts")["cells"][1]["word"] == "slower"
    assert line_of(alone, "total:mean", "short")["cells"][1]["noise_from"] == "spread"
    assert line_of(alone, "total:p50", "short")["cells"][1]["noise"] is None
    repeated = lines_of(",".join(map(str, files[:3])), ",".join(map(str, files[3:])))
    assert line_of(repeated, "total:p50", "short")["cells"][1]["noise_from"] == "repeats"
    assert line_of(repeated, "total:p50", "short")["cells"][1]["word"] == "slower"


def test_a_result_file_of_another_program_may_lack_what_ours_adds(tmp_path: Path) -> None:
    """Older scripts wrote neither n nor the texts, and no first audio."""
    document = json.loads(tts_json())
    for text in document["results"].values():
        for key in ("text", "first_audio", "gap", "runs", "errors", "outcomes", "too_few_runs_for"):
            del text[key]
        del text["latency"]["n"]
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(document))
    new.write_text(tts_json(seed=2))
    cell = line_of(lines_of(old, new), "total:mean", "short")["cells"][1]
    assert (cell["noise_from"], cell["word"]) == ("spread", "no change")


def test_what_differs_is_said_first(folders: Folders) -> None:
    printed = compared(folders["before"], folders["after"]).printed
    head = printed[: printed.index("Comparison")]
    for line in ("seed: 7 → 8", "options: --pause 0s → 1s", "versions: stt-load 0.1.0 → 0.2.0"):
        assert line in head


VOID: dict[str, Callable[[MadeRun], Any]] = {
    "end of utterance: server → client": lambda made: made.run.update(end="client"),
    "frame rule: 96 ms, 3072 bytes → 40 ms, 1280 bytes": lambda made: made.run.update(frame={"ms": 40, "bytes": 1280}),
    "clips: 6 (000000000000) → 6 (111111111111)": lambda made: made.run["clips"].update(manifest_sha256="1" * 64),
    "normaliser: whisper-normalizer → none": lambda made: made.run.update(normaliser="none"),
}


@pytest.mark.parametrize("why", VOID)
def test_runs_that_have_measured_different_things_are_not_compared(folders: Folders, tmp_path: Path, why: str) -> None:
    made = run_of("other", 8)
    VOID[why](made)
    other = made.write(tmp_path / "other")
    done = compared(folders["before"], other)
    assert done.code == 2
    assert done.errors[0] == f"these results have measured different things: {why}"
    assert "--anyway" in done.errors[-1]
    forced = compared(folders["before"], other, "--anyway")
    assert forced.printed.startswith("Void: the results have measured different things\n")


def killed(folder: Path) -> None:
    stages = folder / "stages.jsonl"
    stages.write_bytes(b"".join(stages.read_bytes().splitlines(keepends=True)[:-3]))
    run = json.loads((folder / "run.json").read_bytes())
    del run["lines"], run["crc32"]
    (folder / "run.json").write_bytes(sealed_file(json.dumps(run).encode()))


def flipped(folder: Path) -> None:
    rows = folder / "utterances.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b'"outcome":"ok"', b'"outcome":"oj"', 1))


def without_run_json(folder: Path) -> None:
    (folder / "run.json").unlink()


@pytest.mark.parametrize("damage", [killed, flipped, without_run_json])
def test_a_damaged_run_is_not_to_be_believed(folders: Folders, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = shutil.copytree(folders["again"], tmp_path / "damaged")
    damage(folder)
    done = compared(folders["before"], folder)
    assert done.code == 4
    assert "NOT TO BE BELIEVED (exit code 4)" in done.printed
    assert "is not to be believed: " in done.printed


def test_a_stage_that_is_not_to_be_believed_is_left_out_and_named(folders: Folders, tmp_path: Path) -> None:
    """At 20 callers, above the first that clearly fails, frames were late: that takes nothing from the rest."""
    made = run_of("late", 9, knee_at=5)
    for record in made.utterances:
        record.frames_late = 10 if record.users == 20 else 0
    done = compared(folders["before"], made.write(tmp_path / "late"))
    assert done.code == 3
    assert "late, not compared: at 20 callers: 19.23 % of frames were sent over 10 ms late" in " ".join(
        done.printed.split()
    )
    assert "at 10 callers" in done.printed


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "give at least two results, the one before first: stt-load compare BEFORE AFTER"),
        (("{before}",), "give at least two results, the one before first: stt-load compare BEFORE AFTER"),
        (("{before}", "nowhere"), "nowhere is not there: give a run folder or the result file of `stt-load tts`"),
        (("{before}", "{before}"), "given twice: {before}: a result can't be compared with itself"),
        (("{before}", "{before}/run.json"), "{before}/run.json is a file of a run folder: give the folder, {before}"),
        (
            ("{before}", "{tmp}/tts.json"),
            "only results of one kind can be compared: {before} is a run of streams; "
            "{tmp}/tts.json is a result file of a TTS benchmark",
        ),
        (("{before}", "{tmp}"), "{tmp}/run.json can't be read: No such file or directory; is {tmp} a run folder?"),
        (("{before}", "{tmp}/no.json"), "{tmp}/no.json is no result file of a TTS benchmark: it is no JSON object"),
        (
            ("{before}", "{tmp}/half.json"),
            "{tmp}/half.json is no result file of a TTS benchmark: it has no object configuration, results, summary",
        ),
        (("{before}", "{again}", "--at", "7"), "--at 7: not every result has that; all have 1, 10, 20"),
        (
            ("{before}", "{tmp}/two"),
            "the results have no number of callers in common: baseline has 1, 10, 20; two has 2",
        ),
        (
            ("{before}", "{again}", "--targets", "chatterbax"),
            "--targets chatterbax: there is no such file; stt-load comes with chatterbox",
        ),
        (
            ("{before}", "{again}", "--targets", "{tmp}/speech.toml"),
            "--targets {tmp}/speech.toml: these results have none of the figures that it has targets for",
        ),
        (("--print-targets", "x"), "--print-targets x: stt-load comes with chatterbox"),
        (
            ("{before}", "{again}", "--fail-on", "all"),
            "--fail-on all: write targets or regression, both with a comma between them, or none",
        ),
        (
            ("{before}", "{again}", "--html", "{tmp}/no/x.html"),
            "--html: folder {tmp}/no is not there, or you may not write there",
        ),
    ],
)
def test_wrong_input_is_told_in_one_line(folders: Folders, tmp_path: Path, words: tuple[str, ...], error: str) -> None:
    (tmp_path / "tts.json").write_text(tts_json())
    (tmp_path / "no.json").write_text("[]")
    (tmp_path / "speech.toml").write_text('[TTFC]\nmetric = "first_audio:mean"\ntarget = "< 1 s"\n')
    (tmp_path / "half.json").write_text('{"metadata": {}}')
    run_of("two", ladder=(2,)).write(tmp_path / "two")
    places = {name: str(path) for name, path in folders.items()} | {"tmp": str(tmp_path)}
    done = compared(*(word.format(**places) for word in words))
    assert (done.code, done.errors) == (2, (error.format(**places),))


def test_every_result_that_cant_be_read_is_told_at_once(folders: Folders) -> None:
    assert len(compared("nowhere", folders["before"], "else,where").errors) == 3


def test_a_folder_with_a_comma_in_its_name_is_one_result(folders: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(folders["again"], tmp_path / "a,b")
    assert compared(folders["before"], folder).code == 0


def test_two_searches_are_compared_by_what_they_found_with_its_interval(tmp_path: Path) -> None:
    folders = []
    for label in ("one", "two"):
        made = made_search()
        made.run["label"] = label
        folders.append(made.write(tmp_path / label))
    holds = line_of(lines_of(*folders), "holds", None)
    after = holds["cells"][1]
    low, high = after["interval"]
    assert low <= after["value"] <= high
    assert (after["word"], after["noise_from"]) == ("no change", "interval")
    assert f"{after['value']:.0f} ({low}–{high})" in compared(*folders).printed


def test_a_copy_is_no_repeat(tmp_path: Path) -> None:
    before, after = run_of("before").write(tmp_path / "before"), run_of("after", seed=8).write(tmp_path / "after")
    copy = run_of("before").write(tmp_path / "copy")
    done = compared(f"{before},{copy}", after)
    assert done.errors == (f"{before} and {copy} have the same figures to the last digit: a copy is no repeat",)


def test_targets_for_a_load_that_was_not_measured_are_not_judged_at_another(folders: Folders, tmp_path: Path) -> None:
    targets = tmp_path / "mine.toml"
    targets.write_text('callers = 99\n[WER]\nmetric = "wer"\ntarget = "< 50 %"\n')
    words = (folders["before"], folders["again"], "--targets", targets)
    assert compared(*words).errors == (
        "the targets are for 99, and all results have only 1, 10, 20: --at says where to judge",
    )
    assert "Target Status: 1/1" in compared(*words, "--at", "10").printed


def test_what_comes_after_a_spike_is_no_part_of_what_a_server_holds_with_few_callers(tmp_path: Path) -> None:
    run = read_run(spike_run().write(tmp_path / "spike"))
    assert [observed.value for observed in run.whole["holds"]] == [5]
    (p95,) = run.loads["5"].observed["eos_latency:p95"]
    assert p95.value == pytest.approx(0.4), "as before the spike"
    assert run.notes == ("what came after its most callers is not compared",)


def test_a_run_that_can_not_be_believed_after_its_most_callers_says_what_is_wrong_there(tmp_path: Path) -> None:
    made = spike_run_cut_short()
    (doubt,) = read_run(made.write(tmp_path / "spike")).doubts
    assert "it can't be told when the objectives held again" in doubt


def test_an_open_loop_holds_a_rate_of_calls_and_no_number_of_callers(tmp_path: Path) -> None:
    assert read_run(made_calls().write(tmp_path / "calls")).whole == {}
