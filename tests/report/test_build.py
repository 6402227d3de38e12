"""From raw lines to a report: what each line of evidence does to the verdicts."""

import pytest
from made_run import START_S, MadeRun, made_run, utterance

from stt_load.errors import ExitCode
from stt_load.metrics.language_guess import choose_language
from stt_load.metrics.wer import score
from stt_load.report.build import build_report
from stt_load.report.knee import exit_code
from stt_load.report.model import RunReport, Verdict
from stt_load.report.table import explanations, validity_lines


def built(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def line(made: MadeRun, stage: int, phase: str) -> dict[str, object]:
    return next(row for row in made.transitions if row["stage"] == stage and row["phase"] == phase)


def broken(report: RunReport, stage: int) -> list[str]:
    return [finding.condition for finding in report.stages[stage].broken]


def test_a_clean_ladder_passes_up_to_its_knee() -> None:
    report = built(made_run())
    assert [stage.verdict for stage in report.stages] == [*[Verdict.PASS] * 4, Verdict.FAIL]
    assert (report.knee.holds.users, report.knee.breaks.users) == (20, 30)
    assert exit_code(report) is ExitCode.SLO_MISSED


def test_rows_give_the_same_report_however_they_are_cut_into_batches() -> None:
    made = made_run(ladder=(1, 5), per_stage=10)
    batches = [made.utterances[:3], [], made.utterances[3:13], made.utterances[13:]]
    assert build_report(made.run, made.transitions, batches, made.gpu) == built(made)


def test_tags_of_the_model_are_counted_in_a_note_and_stay_in_the_rows() -> None:
    made = made_run(ladder=(1,), per_stage=10)
    for record in made.utterances[:3]:
        record.text = f"<|en|><|NEUTRAL|>{record.text}"
    report = built(made)
    note = "transcripts with tags of the model in them, like <|en|>, which were taken out before scoring: 3"
    assert note in report.notes
    assert made.utterances[0].text.startswith("<|en|>")
    assert not any("tags of the model" in line for line in built(made_run(ladder=(1,))).notes)


def test_a_report_says_which_language_was_scored_and_why() -> None:
    made = made_run(ladder=(1,), per_stage=3)
    assert not any("scored as" in line for line in explanations(built(made)))  # a run of an older version
    made.run["language"] = choose_language(None, ["Wir treffen uns um acht Uhr"]).as_data()
    (line,) = [line for line in explanations(built(made)) if "scored as" in line]
    assert line.startswith("Transcripts are scored as German (de), guessed: 50% of the references' words")
    assert line.endswith("--language names another.")


def test_a_small_clean_run_passes_marked_and_ends_with_zero() -> None:
    made = made_run(ladder=(1, 2), per_stage=3)
    made.run["slos"] = ["eos_latency:p95<1s", "error_rate<1%"]
    report = built(made)
    assert [stage.mark for stage in report.stages] == ["pass*", "pass*"]
    assert exit_code(report) is ExitCode.FINE


def test_a_few_samples_that_contradict_each_other_are_not_enough() -> None:
    made = made_run(ladder=(1,), per_stage=3)
    made.utterances[0].eos_latency_s = 2.0
    report = built(made)
    assert broken(report, 0) == ["enough samples"]
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE


@pytest.mark.parametrize(
    ("failed", "is_strict", "mark", "code"),
    [
        (0, False, "pass*", ExitCode.FINE),  # 0 errors of 80 meet 1 %, and prove 4 %
        (0, True, "invalid", ExitCode.NOT_BELIEVABLE),
        (1, False, "invalid", ExitCode.NOT_BELIEVABLE),  # 1 of 80 misses 1 %, which chance does too
        (4, False, "fail", ExitCode.SLO_MISSED),
        (4, True, "fail", ExitCode.SLO_MISSED),
    ],
)
def test_what_is_not_proven_passes_marked_if_it_seems_met_and_only_without_strict(
    failed: int, is_strict: bool, mark: str, code: ExitCode
) -> None:
    made = made_run(ladder=(1,))
    made.run |= {"slos": ["error_rate<1%"], "strict": is_strict}
    for record in made.utterances[:failed]:
        record.outcome = "server_error"
    report = built(made)
    assert (report.stages[0].mark, exit_code(report)) == (mark, code)
    assert broken(report, 0) == (["enough samples"] if mark == "invalid" else [])


def test_enough_utterances_pass_a_strict_run() -> None:
    made = made_run(ladder=(1,), per_stage=300)
    made.run["strict"] = True
    report = built(made)
    assert [result.verdict for result in report.stages[0].slos] == ["met"] * 3
    assert (report.stages[0].mark, exit_code(report)) == ("pass", ExitCode.FINE)


def test_what_one_objective_cannot_decide_is_no_matter_where_another_is_missed() -> None:
    made = made_run(ladder=(1,), per_stage=3)
    made.utterances[0].outcome = "timed_out"
    report = built(made)
    assert report.stages[0].verdict is Verdict.FAIL
    assert [result.slo.figure.name for result in report.stages[0].missed] == ["error_rate"]


def test_an_objective_without_any_value_is_not_met() -> None:
    made = made_run(ladder=(1,), per_stage=3)
    made.run["slos"] = ["finalise_latency:p50<1s"]
    assert broken(built(made), 0) == ["enough samples"]


def test_without_objectives_a_believable_stage_passes() -> None:
    made = made_run(ladder=(1,), per_stage=3)
    made.run["slos"] = []
    assert built(made).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("phase", "changes", "condition"),
    [
        ("hold", {"reached": 4}, "users reached"),
        ("settle", {"workers": 0}, "workers constant"),
        ("grace", {"generator_cpu_pct": 99.0}, "generator CPU ≤ 90 %"),
        ("settle", {"generator_cpu_pct": 99.0}, "generator CPU ≤ 90 %"),  # measured in the grace, which ends there
        ("settle", {"begun": 81}, "counted utterances all ended"),
        ("settle", {"ended": 81}, "no rows lost"),
    ],
)
def test_a_line_of_a_stage_breaks_that_stage_alone(phase: str, changes: dict[str, object], condition: str) -> None:
    made = made_run(ladder=(1, 5, 10))
    line(made, 1, phase).update(changes)
    report = built(made)
    assert broken(report, 1) == [condition]
    assert broken(report, 0) == broken(report, 2) == []
    assert report.verdict is Verdict.INVALID


def test_cpu_of_the_ramp_does_not_count_against_the_hold() -> None:
    made = made_run(ladder=(1, 5))
    line(made, 1, "hold")["generator_cpu_pct"] = 100.0  # told at the moment the ramp ended
    assert broken(built(made), 1) == []


@pytest.mark.parametrize(
    ("phase", "is_noted"),
    [("hold", False), ("grace", True), ("settle", True)],  # measured in the phase that ends there
)
def test_cpu_that_the_host_took_in_hold_or_grace_is_named_beside_the_pacing_lag(phase: str, is_noted: bool) -> None:
    made = made_run(ladder=(1, 5))
    line(made, 1, phase)["stolen_cpu_pct"] = 12.0
    details = {finding.condition: finding.detail for finding in built(made).stages[1].findings}
    assert details["pacing lag p99 ≤ 10 ms"].endswith("took 12 % of this machine's CPU time") is is_noted


def test_ports_that_ended_connections_hold_are_named_beside_late_frames() -> None:
    made = made_run(ladder=(1, 5))
    for record in made.utterances[-80:]:
        record.frames_late = record.frames
    line(made, 1, "grace")["waiting_ports_pct"] = 97.0
    details = {finding.condition: finding.detail for finding in built(made).stages[1].findings}
    assert "97 % of this machine's ephemeral ports" in details["pacing lag p99 ≤ 10 ms"]


def test_what_the_load_generator_failed_to_play_is_no_error_of_the_server_and_makes_the_stage_unbelievable() -> None:
    made = made_run(ladder=(1, 5), knee_at=99)
    for record in made.utterances[-30:]:
        record.outcome, record.is_own_fault, record.error = "interrupted", True, "no port is left of 12"
    report = built(made)
    assert broken(report, 1) == ["the load generator itself did not fail"]
    (finding,) = report.stages[1].broken
    assert finding.detail == "the load generator failed to play 30 of 80 counted utterances: no port is left of 12"
    assert report.stages[1].figures.error_rate == 0.0
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE


def test_interrupted_utterances_make_their_stage_unbelievable_but_are_no_errors() -> None:
    made = made_run(ladder=(1, 5))
    made.utterances[-1].outcome = "interrupted"
    report = built(made)
    assert broken(report, 1) == ["counted utterances all ended"]
    assert report.stages[1].figures.errors == 0


@pytest.mark.parametrize(
    "delivery",
    [{"totals": {"one": 100, "two": 61}}, {"missing_seq": 1}, {"rows": 161}],
    ids=["a worker finished more", "a report is missing", "the file has less than came"],
)
def test_rows_lost_anywhere_make_every_stage_unbelievable(delivery: dict[str, object]) -> None:
    made = made_run(ladder=(1, 5))
    made.transitions[-1]["delivery"].update(delivery)
    report = built(made)
    assert broken(report, 0) == broken(report, 1) == ["no rows lost"]
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE


def test_a_worker_lost_in_the_last_phase_is_seen_on_the_last_line() -> None:
    made = made_run(ladder=(1, 5))
    made.transitions[-1]["delivery"]["workers_lost"] = 1
    report = built(made)
    assert (broken(report, 0), broken(report, 1)) == ([], ["workers constant"])
    assert "load workers that were lost, or silent for long: 1, at 5 callers" in report.notes


def test_a_killed_run_keeps_its_finished_stages_and_is_not_believed() -> None:
    made = made_run(ladder=(1, 5, 10))
    cut = made.transitions.index(line(made, 2, "hold")) + 1
    made.transitions = made.transitions[:cut]
    made.utterances = made.utterances[:-30]
    report = built(made)
    assert [stage.verdict for stage in report.stages] == [Verdict.PASS, Verdict.PASS, Verdict.INVALID]
    assert broken(report, 2) == ["counted utterances all ended"]
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE
    assert any("killed" in note for note in report.notes)


def test_an_aborted_run_says_so_whatever_its_stages_say() -> None:
    made = made_run(ladder=(1, 5))
    made.transitions[-1]["aborted"] = True
    assert exit_code(built(made)) is ExitCode.ABORTED


@pytest.mark.parametrize(("reason", "is_cut_short"), [("failed", True), ("all stages done", False)])
def test_a_run_that_has_failed_says_so_whatever_its_stages_say(reason: str, is_cut_short: bool) -> None:
    made = made_run(ladder=(1, 5))
    made.run["failure"] = "no space left"
    made.transitions[-1]["reason"] = reason
    report = built(made)
    assert (report.verdict, exit_code(report)) == (Verdict.ERROR, ExitCode.FAILED)
    assert report.notes[0] == "the run failed: no space left"
    assert (report.knee.ended_at is not None) is is_cut_short


def test_nothing_counted_is_not_believed() -> None:
    made = made_run(ladder=(1,), per_stage=0)
    report = built(made)
    assert report.stages[0].verdict is Verdict.EMPTY
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE


def test_stages_without_grace_as_the_web_ui_makes_them_are_reported() -> None:
    made = made_run(ladder=(5, 10))
    made.transitions = [row for row in made.transitions if row["phase"] not in ("grace", "settle")]
    report = built(made)
    assert [stage.verdict for stage in report.stages] == [Verdict.PASS, Verdict.PASS]
    assert [stage.hold_s for stage in report.stages] == [41.0 - 2.0, 41.0 - 2.0]


def test_gpu_samples_belong_to_the_hold_they_were_taken_in() -> None:
    made = made_run(ladder=(1, 5), per_stage=5, hold_s=10.0)
    tagged = built(made)
    made.gpu = [{**sample, "stage": None, "phase": None} for sample in made.gpu]
    assert [stage.devices for stage in built(made).stages] == [stage.devices for stage in tagged.stages]
    assert tagged.stages[0].busiest("gpu").of("sm_pct").n == 10


def test_the_busiest_gpu_is_in_the_table_and_memory_is_not_summed() -> None:
    made = made_run(ladder=(1,), per_stage=5, gpu=False)
    made.gpu = [
        {"t": START_S + 3, "host": "h", "gpu": gpu, "sm_pct": sm, "fb_mib": fb, "stage": 0, "phase": "hold"}
        for gpu, sm, fb in ((0, 0, 400), (1, 80, 9_000), (1, 90, 9_200))
    ]
    stage = built(made).stages[0]
    assert [figures.device.gpu for figures in stage.devices] == [0, 1]
    busiest = stage.busiest("gpu")
    assert (busiest.device.gpu, busiest.of("sm_pct").mean, busiest.of("fb_mib").max) == (1, 85.0, 9_200)


def test_samples_tagged_far_outside_the_hold_are_noted() -> None:
    made = made_run(ladder=(1,), per_stage=5)
    made.gpu[0]["t"] -= 60
    assert any(f"1 of {len(made.gpu)} samples are tagged with another stage" in note for note in built(made).notes)


def test_utterances_of_an_unknown_stage_are_noted_and_left_out_and_make_the_run_invalid() -> None:
    made = made_run(ladder=(1,), per_stage=5)
    made.utterances.append(utterance(9, 1))
    report = built(made)
    assert report.stages[0].figures.n == 5
    assert "utterances.jsonl: 1 utterance is left out because stages.jsonl does not have its stage" in report.notes
    assert broken(report, 0) == ["raw files whole"]


def test_more_utterances_than_workers_have_finished_make_the_run_invalid() -> None:
    made = made_run(ladder=(1,), per_stage=5)
    made.utterances += made.utterances[:2]
    report = built(made)
    assert "utterances.jsonl: 2 utterances are there that no worker has finished" in report.notes
    assert broken(report, 0) == ["raw files whole"]


def with_calm(made: MadeRun, after: int, *phases: str) -> MadeRun:
    """The run with a stage of 0 callers, of these phases, behind a stage; they last 4 s each."""
    at = next(n for n, row in enumerate(made.transitions) if row["stage"] == after + 1)
    began = made.transitions[at]["t"]
    calm = [
        {**made.transitions[at], "t": began + 4.0 * n, "stage": 99, "phase": phase, "users": 0, "reached": 0}
        for n, phase in enumerate(phases)
    ]
    later = [{**row, "t": row["t"] + 4.0 * len(phases)} for row in made.transitions[at:]]
    made.transitions[at:] = [*calm, *later]
    return made


@pytest.mark.parametrize("phases", [("settle",), ("ramp", "hold")])  # the latter: as older versions wrote it
def test_a_while_without_callers_is_told_and_not_judged(phases: tuple[str, ...]) -> None:
    report = built(with_calm(made_run(ladder=(5, 10), gpu=False), 0, *phases))
    assert [stage.users for stage in report.stages] == [5, 10]
    assert (report.verdict, exit_code(report)) == (Verdict.PASS, ExitCode.FINE)
    assert (report.knee.holds.users, report.knee.breaks) == (10, None)
    assert [note for note in report.notes if "0 for" in note] == [
        f"the number of callers was 0 for {4 * len(phases)} s: that is not judged"
    ]


def test_numbers_of_callers_that_were_only_passed_through_are_told_and_not_judged() -> None:
    made = with_calm(made_run(ladder=(5, 10), gpu=False), 0, "ramp")
    made.transitions = [{**row, "users": 7} if row["stage"] == 99 else row for row in made.transitions]
    report = built(made)
    assert ([stage.users for stage in report.stages], report.verdict) == ([5, 10], Verdict.PASS)
    assert "numbers of callers that were changed again before all had arrived are not judged: 7" in report.notes


def test_a_run_that_had_nobody_at_all_measured_nothing() -> None:
    made = made_run(ladder=(5,), gpu=False)
    made.utterances, made.transitions = [], [{**row, "users": 0, "reached": 0} for row in made.transitions]
    report = built(made)
    assert (report.stages, report.verdict) == ((), Verdict.EMPTY)
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE


def test_answers_that_may_have_come_earlier_than_they_were_read_are_not_believed() -> None:
    made = made_run(ladder=(1, 5), per_stage=80, gpu=False)
    for record in made.utterances[:2]:
        record.arrival_late_s, record.stamp = 0.6, "read"
    made.utterances[-1].arrival_late_s = 0.6  # one of 80 is more than 1 % too
    made.utterances[-2].arrival_late_s = 0.009
    report = built(made)
    assert [broken(report, stage) for stage in (0, 1)] == [["arrival times within 10 ms"]] * 2
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE
    for record in made.utterances:
        record.arrival_late_s = 0.009
    assert built(made).verdict is Verdict.PASS


def with_answers_of_before(made: MadeRun) -> MadeRun:
    """The run on a server that gives every caller the text of the utterance before."""
    for users in {record.users for record in made.utterances}:
        mine = [record for record in made.utterances if record.users == users]
        texts = ["uh", *(record.reference for record in mine)]
        for n, (record, text) in enumerate(zip(mine, texts, strict=False)):
            record.text, record.user, record.started_at = text, 0, float(n)
            score(record.reference, text).fill_into(record)
    return made


def test_a_run_whose_transcripts_do_not_fit_is_not_believed_on_any_stage() -> None:
    report = built(with_answers_of_before(made_run(ladder=(1, 5), per_stage=80, gpu=False)))
    assert [stage.verdict for stage in report.stages] == [Verdict.INVALID] * 2
    assert [broken(report, stage) for stage in (0, 1)] == [["transcripts fit what was spoken"]] * 2
    (line,) = validity_lines(report)
    assert line.startswith("at 1, 5 callers: WER ")
    assert "have the words of the utterance that the same caller spoke before. Compare both texts" in line
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE


def test_who_allows_such_a_wer_gets_a_verdict() -> None:
    made = with_answers_of_before(made_run(ladder=(1, 5), per_stage=80, gpu=False))
    made.run["slos"] = ["eos_latency:p95<1s", "wer<150%"]
    assert built(made).verdict is Verdict.PASS
    made.run["slos"] = ["eos_latency:p95<1s", "wer<60%"]
    assert built(made).verdict is Verdict.FAIL
