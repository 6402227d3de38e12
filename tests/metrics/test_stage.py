"""Every figure of a stage, from records whose figures are known."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_run import TEXTS, utterance

from stt_load.metrics.figures import Figure, with_slo
from stt_load.metrics.other_dialect import find_other_dialect
from stt_load.metrics.stage import StageFigures, StageStats
from stt_load.records import OnScreen, UtteranceRecord


def closed(*records: UtteranceRecord, first: StageFigures | None = None) -> StageFigures:
    stats = StageStats(0, 4)
    stats.add(records)
    return stats.close(first)


def test_only_what_started_in_the_hold_counts() -> None:
    figures = closed(utterance(0, 4), utterance(0, 4, phase="ramp"), utterance(0, 4, phase="grace"))
    assert figures.n == 1


def test_the_interrupted_are_counted_apart_from_errors() -> None:
    outcomes = ("ok", "ok", "timed_out", "no_final", "interrupted")
    figures = closed(*(utterance(0, 4, index, outcome=outcome) for index, outcome in enumerate(outcomes)))
    assert (figures.n, figures.ok, figures.errors, figures.interrupted) == (5, 2, 2, 1)
    assert figures.error_rate == 2 / 4
    assert figures.outcomes == {"interrupted": 1, "no_final": 1, "ok": 2, "timed_out": 1}


def test_a_stage_without_utterances_has_counts_but_no_figures() -> None:
    figures = closed()
    assert (figures.n, figures.error_rate, figures.wer, figures.wer_delta, figures.pacing_lag_p99_s) == (0, *[None] * 4)


def test_eos_latency_is_of_completed_utterances_and_connect_time_of_all() -> None:
    figures = closed(utterance(0, 4), utterance(0, 4, 1, outcome="timed_out", eos_latency_s=30.0))
    assert list(figures.distributions["eos_latency"].values) == [0.4]
    assert figures.distributions["connect"].n == 2
    assert figures.estimate(with_slo()["eos_latency"], "p95").value == math.inf  # the one that failed
    assert figures.estimate(with_slo()["connect"], "p95").value == 0.003


def test_wer_is_one_ratio_of_summed_counts() -> None:
    short, long = "good morning", "there was a loud noise and then every light went"
    figures = closed(
        utterance(0, 4, reference=short, text="good evening"),
        utterance(0, 4, reference=long, text=long),
    )
    assert figures.wer == 1 / 12  # the mean of the two ratios would be 1/4


def test_an_utterance_without_transcript_is_all_deleted_in_wer_all_and_absent_from_wer() -> None:
    figures = closed(
        utterance(0, 4, reference="one lamp is on", text="one lamp is on"),
        utterance(0, 4, reference="good morning", text="good", outcome="disconnected"),
        utterance(0, 4, reference="it is late", text="", outcome="interrupted"),
    )
    assert figures.wer == 0
    assert figures.wer_all == 2 / 6


@pytest.mark.parametrize("figure", with_slo().values(), ids=lambda figure: figure.name)
def test_every_figure_with_an_objective_has_an_estimate(figure: Figure) -> None:
    turns = {"words_lost_at_cut": 0, "eager_turn_ends": [1.0], "turns_resumed": 1}
    first = {"first_partial_errors": 0, "first_partial_words": 2, "first_partial_age_s": 0.3}
    final = {"first_final_errors": 1, "first_final_words": 4, "first_final_age_s": 0.5}
    times = {"word_time_error_s": 0.05, "word_time_error_max_s": 0.2, "word_time_drift_s": -0.1}
    seen = OnScreen([], [], 1, audio_age_s=0.3, audio_age_max_s=0.6, **first, **final, **times)
    records = [utterance(0, 4, index, total_s=1.0, finalise_latency_s=0.1, screen=seen, **turns) for index in range(6)]
    records += [utterance(0, 4, index, reference="", words_from_nothing=1) for index in range(6)]
    records += [utterance(0, 4, index, kind="upload", total_s=1.0, first_text_s=0.5) for index in range(6)]
    records += [
        utterance(0, 4, index, kind="tts", first_audio_s=1.0, gap_max_s=0.1, underruns=0, after_text_s=-0.1)
        for index in range(6)
    ]
    turn = {"voice_to_voice_s": 0.5, "barge_in_stop_s": 0.3, "early_answers": 0, "answer_s": 1.0}
    records += [utterance(0, 4, index, kind="conversation", **turn) for index in range(6)]
    stats = StageStats(0, 4)
    for kind in ("stream", "upload", "tts", "conversation"):
        stats.add([record for record in records if record.kind == kind])
    estimate = stats.close().estimate(figure, "p50" if figure.is_distribution else None)
    # made_run's server does not say when it is done, and calls are counted against their schedule (call_tally.py).
    if figure.name not in ("settled_latency", "refused"):
        assert estimate.value is not None
        assert estimate.low is None or estimate.high is None or estimate.low <= estimate.value <= estimate.high


def test_the_wer_has_an_interval_from_five_clips_on() -> None:
    few = closed(*(utterance(0, 4, index % 4) for index in range(40)))
    assert (few.wer_utterances, few.wer_ci95_low, few.wer_ci95_high) == (40, None, None)
    assert few.estimate(with_slo()["wer"]).high is None
    enough = closed(*(utterance(0, 4, index % 6) for index in range(60)))
    assert (enough.wer_utterances, enough.wer_ci95_low) == (60, 0.0)
    assert 0.02 < enough.wer_ci95_high < 0.08


def test_wer_delta_against_a_first_stage_of_two_utterances_is_bounded_by_nothing() -> None:
    first = closed(utterance(0, 4, 0), utterance(0, 4, 1))
    worse = [utterance(1, 4, index % 6, text="nothing right") for index in range(60)]
    estimate = closed(*worse, first=first).estimate(with_slo()["wer_delta"])
    assert (estimate.low, estimate.high, estimate.n) == (None, None, 2)
    assert estimate.value > 0.9


def test_wer_delta_compares_only_clips_that_both_stages_completed() -> None:
    spoiled = TEXTS[0].rsplit(" ", 1)[0]  # one word of twelve is missing ("email" is "e mail" when normalised)
    first = closed(utterance(0, 4, 0), utterance(0, 4, 1, text="rubbish"))
    later = closed(utterance(1, 4, 0, text=spoiled), utterance(1, 4, 2, text=""), first=first)
    assert later.wer_delta == pytest.approx(1 / 12)


def test_wer_delta_is_over_all_words_of_the_clips_that_both_completed() -> None:
    spoiled = TEXTS[0].rsplit(" ", 1)[0]
    first = closed(utterance(0, 4, 0), utterance(0, 4, 1))
    later = closed(utterance(1, 4, 1), utterance(1, 4, 0, text=spoiled), first=first)
    assert later.wer_delta == pytest.approx(1 / 22)  # twelve words and ten, one of them missing


def test_wer_delta_is_blind_to_how_often_each_stage_spoke_a_clip() -> None:
    spoiled = TEXTS[0].rsplit(" ", 1)[0]
    first = closed(utterance(0, 4, 0, text=spoiled), utterance(0, 4, 1))
    later = closed(*(utterance(1, 4, 0, text=spoiled) for _ in range(9)), utterance(1, 4, 1), first=first)
    assert later.wer > first.wer
    assert later.wer_delta == pytest.approx(0)


def test_wer_delta_of_the_first_stage_is_zero_and_without_common_clips_unknown() -> None:
    first = closed(utterance(0, 4, 0, text="nothing right"))
    assert first.wer_delta == 0
    assert closed(utterance(1, 4, 1), first=first).wer_delta is None


def test_the_pacing_lag_is_one_percentile_over_all_frames() -> None:
    in_time = utterance(0, 4, frames=980, pacing_lag_counts={1: 975, 3: 5}, pacing_lag_max_s=0.0028)
    bursts = [
        utterance(0, 4, i, frames=10, frames_late=late, pacing_lag_counts=counts, pacing_lag_max_s=0.0383)
        for i, (late, counts) in enumerate(((5, {1: 5, 38: 4, 39: 1}), (5, {1: 5, 38: 5})))
    ]
    refused = utterance(
        0, 4, outcome="refused", frames=0, pacing_lag_counts=None, pacing_lag_p99_s=None, pacing_lag_max_s=None
    )
    figures = closed(in_time, *bursts, refused)
    assert (figures.sums["frames"], figures.late_frames) == (1_000, 0.01)  # within the limit, by one frame
    assert figures.pacing_lag_p99_s == 0.003  # the mean of their own 99th percentiles would be 3.5 ms
    assert figures.pacing_lag_max_s == 0.0383
    one_more = closed(in_time, *bursts, utterance(0, 4, frames=1, frames_late=1, pacing_lag_counts={38: 1}))
    assert one_more.late_frames is not None and one_more.late_frames > 0.01
    assert one_more.pacing_lag_p99_s == 0.038


def test_the_percentile_of_the_lag_is_never_above_the_largest() -> None:
    quick = closed(utterance(0, 4, frames=9, pacing_lag_counts={1: 9}, pacing_lag_max_s=0.0002))
    assert quick.pacing_lag_p99_s == 0.0002
    slow = closed(utterance(0, 4, frames=9, pacing_lag_counts={51: 9}, pacing_lag_max_s=1.5))
    assert slow.pacing_lag_p99_s == 1.5  # later than every bucket: what is known is the largest


def test_rows_without_their_counts_of_lags_give_no_percentile() -> None:
    figures = closed(utterance(0, 4), utterance(0, 4, 1, pacing_lag_counts=None, frames_late=1))
    assert figures.pacing_lag_p99_s is None
    assert (figures.pacing_lag_max_s, figures.late_frames) == (0.004, 1 / 104)


def test_what_a_caller_did_not_send_makes_no_mean_and_no_clip() -> None:
    cut = {"text": "", "audio_s": 0.1, "speech_s": 0.0}
    figures = closed(
        utterance(0, 4, audio_s=6.0, speech_s=3.0),
        utterance(0, 4, 0, audio_s=7.0, speech_s=4.0),
        *(utterance(0, 4, i, outcome="refused", **cut | {"audio_s": 0.0}) for i in (1, 2)),
        utterance(0, 4, 3, outcome="disconnected", **cut),
    )
    assert figures.utterance_s_mean == 6.5
    assert (figures.sums["audio"], figures.sums["speech"]) == (pytest.approx(13.1), 7.0)
    assert figures.clips == 2
    nobody = closed(utterance(0, 4, outcome="refused", **cut))
    assert nobody.utterance_s_mean is None


def test_what_the_server_says_of_itself_is_gathered_by_name() -> None:
    figures = closed(
        utterance(0, 4, server_ms={"decode": 40.0}), utterance(0, 4, 1, server_ms={"decode": 60.0, "queue": 1.0})
    )
    assert figures.server_ms["decode"].mean == 50.0
    assert figures.server_ms["queue"].n == 1


def test_foreign_messages_and_shared_clips_are_summed() -> None:
    figures = closed(utterance(0, 4, foreign_text=2), utterance(0, 4, foreign_text=None, clip_reused=True))
    assert (figures.sums["foreign_text"], figures.clips_reused) == (2, 1)


def random_record(seed: int) -> UtteranceRecord:
    rng = random.Random(seed)
    index = rng.randrange(len(TEXTS))
    return utterance(
        0,
        4,
        index,
        text=" ".join(word for word in TEXTS[index].split() if rng.random() > 0.2),
        outcome=rng.choice(("ok", "ok", "ok", "timed_out", "refused", "interrupted")),
        eos_latency_s=rng.uniform(0.1, 2),
        finalise_latency_s=rng.choice((None, rng.random())),
        pacing_lag_max_s=rng.choice((None, rng.random())),
        pacing_lag_counts=rng.choice((None, {rng.randrange(1, 52): 52})),
        audio_s=rng.uniform(1, 9),
        total_s=rng.choice((None, rng.random())),
        foreign_text=rng.choice((None, 0, 1)),
        server_ms=rng.choice((None, {"decode": rng.random()})),
        stamp=rng.choice(("read", "kernel")),
    )


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(st.lists(st.integers(0, 10_000), max_size=8), min_size=1, max_size=4))
def test_figures_do_not_depend_on_how_records_come_in_batches(parts: list[list[int]]) -> None:
    one_by_one, in_batches = StageStats(0, 4), StageStats(0, 4)
    for seeds in parts:
        records = [random_record(seed) for seed in seeds]
        in_batches.add(records)
        for record in records:
            one_by_one.add([record])
    assert in_batches.close() == one_by_one.close()


def test_the_factor_of_an_upload_is_its_total_time_over_its_audio_and_of_completed_ones_only() -> None:
    uploads = [
        utterance(0, 4, i, kind="upload", eos_latency_s=None, audio_s=4.0, total_s=t) for i, t in enumerate((1, 2))
    ]
    failed = utterance(0, 4, 3, kind="upload", eos_latency_s=None, outcome="server_error", audio_s=4.0, total_s=1.0)
    figures = closed(*uploads, failed)
    assert list(figures.distributions["rtf"].values) == [0.25, 0.5]
    assert list(figures.rtfx.values) == [2.0, 4.0]
    assert list(figures.distributions["total"].values) == [1, 2]
    assert figures.distributions["eos_latency"].n == figures.distributions["first_text"].n == 0
    assert figures.estimate(with_slo()["rtf"], "p99").n == figures.estimate(with_slo()["total"], "p99").n == 3


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([{"other_dialects": ["vosk"]}] * 2, "no utterance came to a good end, and the server seems to speak vosk"),
        (
            [{"understood": False}] * 2,
            "no utterance came to a good end, and the server sent no message that this dialect knows",
        ),
        ([{"understood": False}, {"understood": True}, {"understood": True}], None),
        ([{"understood": False}, {"outcome": "ok", "understood": True}], None),
        ([{"outcome": "refused", "understood": False}] * 2, None),
        ([{"understood": None}] * 2, None),
        ([], None),
    ],
)
def test_a_server_of_another_dialect_shows_in_a_stage_without_one_good_end(
    ends: list[dict[str, Any]], expected: str | None
) -> None:
    figures = closed(*(utterance(0, 4, n, **{"outcome": "timed_out", **end}) for n, end in enumerate(ends)))
    assert find_other_dialect(figures) == expected
