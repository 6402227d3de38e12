"""What damage is called, and what makes a run invalid."""

from __future__ import annotations

from pathlib import Path

from made_run import made_run

from stt_load.report.damage import Damage, Flaw
from stt_load.report.report_files import read_report


def test_damage_is_told_by_file_with_its_number_and_where_it_is_first() -> None:
    damage = Damage()
    damage.note("gpu.jsonl", Flaw.MISSING, n=1_200)
    damage.note("utterances.jsonl", Flaw.DAMAGED, "line 3 (its checksum is wrong)")
    damage.note("utterances.jsonl", Flaw.TWICE, "line 7")
    damage.note("utterances.jsonl", Flaw.TWICE, "line 9")
    assert damage.notes == [
        "utterances.jsonl: 1 damaged line is left out: line 3 (its checksum is wrong)",
        "utterances.jsonl: 2 lines are there twice, and counted once; the first is line 7",
        "gpu.jsonl: 1,200 lines are missing",
    ]
    assert damage.clause(is_finished=True) == (
        "utterances.jsonl and gpu.jsonl are not as the run wrote them: see the notes"
    )


def test_no_damage_says_nothing() -> None:
    assert Damage().notes == []
    assert Damage().clause(is_finished=True) is None


def test_a_run_that_was_killed_may_have_cut_a_line_off() -> None:
    damage = Damage()
    damage.note("host.jsonl", Flaw.CUT, "line 9 (it has no checksum)")
    assert damage.clause(is_finished=False) is None
    assert damage.clause(is_finished=True) == "host.jsonl is not as the run wrote it: see the notes"
    assert len(damage.notes) == 1


def test_a_file_that_is_read_again_is_told_once() -> None:
    damage = Damage()
    for _ in range(2):
        damage.forget("gpu.jsonl")
        damage.note("gpu.jsonl", Flaw.TWICE, "line 2")
    assert damage.notes == ["gpu.jsonl: 1 line is there twice, and counted once: line 2"]


def test_a_damaged_line_is_told_of_the_part_of_the_file_that_it_is_in(tmp_path: Path) -> None:
    folder = made_run((1,), per_stage=20, gpu=False).write(tmp_path / "soak")
    lines = (folder / "utterances.jsonl").read_bytes().splitlines(keepends=True)
    lines[14] = lines[14].replace(b"hold", b"h0ld")
    (folder / "utterances.jsonl").write_bytes(b"".join(lines[:12]))
    (folder / "utterances-0002.jsonl").write_bytes(b"".join(lines[12:]))
    report = read_report(folder)
    assert [note for note in report.notes if note.startswith("utterances")] == [
        "utterances*.jsonl: 1 line is missing",
        "utterances-0002.jsonl: 1 damaged line is left out: line 3 (its checksum is wrong)",
    ]
    assert any("utterances-0002.jsonl" in finding.detail for finding in report.stages[0].broken)
