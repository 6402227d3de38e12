from __future__ import annotations

import json
import re
from typing import Any

import pytest
from rich.console import Console

from stt_load.errors import Outcome
from stt_load.tts.playback import Playback
from stt_load.tts.speech_reader import TtsResult
from stt_load.tts_benchmark.results import Benchmark, TextRuns, result_json, with_streaming_known
from stt_load.tts_benchmark.table import STREAMED, TOTALS, explanations, result_tables

LATENCY = ["mean_ms", "std_ms", "p50_ms", "p95_ms", "p99_ms", "min_ms", "max_ms"]


def streamed(total_s: float, first_s: float, underruns: int = 0) -> TtsResult:
    playback = Playback(underruns, 0.1 * underruns)
    return TtsResult(
        Outcome.OK, first_byte_s=first_s, total_s=total_s, audio_s=2.0, gaps_s=(0.1, 0.3), playback=playback
    )


def whole(total_s: float) -> TtsResult:
    return TtsResult(Outcome.OK, first_byte_s=total_s, total_s=total_s, audio_s=2.0, is_length_known=True)


FAILED = TtsResult(Outcome.SERVER_ERROR, error="HTTP 500: TTS engine failed")


def benchmark(*texts: TextRuns, **more: Any) -> Benchmark:
    configuration = {"gpu": "NVIDIA H200", "gpu_memory_gb": 140.4, "model": "m", "optimization": None, "batch_size": 1}
    known = {"benchmark_type": "tts_chatterbox", "started_at": 1_800_000_000.0, "warm_up": 5, "runs": 20}
    return Benchmark(**{**known, "configuration": configuration, "texts": with_streaming_known(texts), **more})


def document(*texts: TextRuns, **more: Any) -> dict[str, Any]:
    return json.loads(result_json(benchmark(*texts, **more)))


def test_the_file_has_the_keys_that_its_readers_expect() -> None:
    made = document(TextRuns("short", "Hello you there.", tuple(whole(t / 10) for t in range(1, 21)), 2_048.0))
    metadata = made["metadata"]
    assert metadata["timestamp"] == "2027-01-15T08:00:00Z"
    assert (metadata["benchmark_type"], metadata["warmup_runs"], metadata["measurement_runs"]) == (
        "tts_chatterbox",
        5,
        20,
    )
    assert list(made["configuration"]) == ["gpu", "gpu_memory_gb", "model", "optimization", "batch_size"]
    short = made["results"]["short"]
    assert list(short)[:5] == ["text_length_words", "audio_duration_ms", "latency", "rtf", "vram_peak_gb"]
    assert (short["text_length_words"], short["audio_duration_ms"], short["vram_peak_gb"]) == (3, 2_000.0, 2.0)
    assert list(short["latency"])[:7] == LATENCY
    assert list(made["summary"])[:4] == ["overall_mean_ms", "overall_p95_ms", "overall_rtf", "max_vram_gb"]


def test_latencies_are_counted_by_nearest_rank_over_the_measured_runs() -> None:
    latency = document(TextRuns("a", "Hi.", tuple(whole(t / 10) for t in range(1, 21))))["results"]["a"]["latency"]
    assert latency["p50_ms"] == 1_000
    assert latency["p95_ms"] == 1_900
    assert latency["p99_ms"] == latency["max_ms"] == 2_000
    assert latency["min_ms"] == 100
    assert latency["mean_ms"] == pytest.approx(1_050)
    assert latency["std_ms"] == pytest.approx(591.608)  # of a sample


def test_the_overall_rtf_weighs_seconds_and_not_texts() -> None:
    long = TtsResult(Outcome.OK, first_byte_s=1.0, total_s=5.0, audio_s=50.0, is_length_known=True)
    summary = document(TextRuns("a", "Hi.", (whole(2.0),), 1_024.0), TextRuns("b", "Ho.", (long,), 3_072.0))["summary"]
    assert summary["overall_rtf"] == pytest.approx(7 / 52, abs=1e-4)
    assert summary["overall_mean_ms"] == 3_500
    assert summary["max_vram_gb"] == 3.0


def test_first_audio_is_a_number_only_where_the_server_streams() -> None:
    text = document(TextRuns("a", "Hi.", (whole(1.0), whole(1.2))))["results"]["a"]
    assert (text["first_audio"], text["gap"], text["underruns"]) == ("not streamed", None, None)
    text = document(TextRuns("a", "Hi.", (streamed(2.0, 0.5), streamed(2.0, 0.7, underruns=2))))["results"]["a"]
    assert text["first_audio"]["p50_ms"] == 500
    assert text["gap"]["max_ms"] == 300
    assert text["underruns"] == 2


def test_a_text_of_one_piece_is_a_stream_where_another_text_shows_that_the_server_streams() -> None:
    one_piece = TextRuns("a", "Hi.", (streamed(1.0, 0.99),) * 2)
    assert document(one_piece)["results"]["a"]["first_audio"] == "not streamed"
    both = document(one_piece, TextRuns("b", "Hi. Ho.", (streamed(2.0, 0.5),) * 2))
    assert both["results"]["a"]["first_audio"]["p50_ms"] == 990


def test_one_pause_on_the_wire_makes_no_stream() -> None:
    runs = (streamed(1.0, 0.5), streamed(1.0, 0.99), streamed(1.0, 0.99))
    assert document(TextRuns("a", "Hi.", runs))["results"]["a"]["first_audio"] == "not streamed"


def test_failed_runs_are_told_and_have_no_times() -> None:
    made = document(TextRuns("a", "Hi.", (FAILED, whole(1.0), FAILED)), TextRuns("b", "Ho.", (FAILED,)))
    assert made["results"]["a"]["errors"] == 2
    assert made["results"]["a"]["outcomes"] == {"ok": 1, "server_error": 2}
    assert made["results"]["a"]["latency"]["n"] == 1
    assert made["results"]["a"]["latency"]["std_ms"] is None
    assert set(made["results"]["b"]["latency"].values()) == {None, 0}
    assert made["summary"]["errors"] == 3


def test_nothing_measured_is_null_everywhere() -> None:
    made = document(is_complete=False)
    assert made["metadata"]["complete"] is False
    assert made["results"] == {}
    assert made["summary"]["overall_rtf"] is None and made["summary"]["max_vram_gb"] is None


def test_the_files_name_is_its_type_and_its_time() -> None:
    assert benchmark().file_name == "tts_chatterbox_20270115_080000.json"


WIDTH = 110


def printed(shown: Benchmark) -> list[list[str]]:
    """Heading and row of each table."""
    console = Console(width=WIDTH, color_system=None)
    with console.capture() as capture:
        for table in result_tables(shown):
            console.print(table)
    lines = [line for line in capture.get().splitlines() if line.strip() and "─" not in line]
    return [re.split(r"\s{2,}", line.strip()) for line in lines]


def test_the_tables_say_not_streamed_in_place_of_a_number() -> None:
    shown = benchmark(TextRuns("short", "Hi you.", (whole(1.0),) * 3, 2_048.0))
    totals, figures, streamed_headings, first_audio = printed(shown)
    assert (totals, streamed_headings) == (list(TOTALS), list(STREAMED))
    assert figures[:4] == ["short", "2", "2.00", "1.000*"]
    assert figures[-2:] == ["2.00", "0"]
    assert first_audio.count("not streamed") == 2
    assert any(line.startswith("not streamed: ") for line in explanations(shown))


def test_the_tables_of_a_slow_server_fit_110_columns() -> None:
    shown = benchmark(TextRuns("telephony_typical", "Hi you.", (streamed(12.5, 2.3), streamed(19.5, 2.3)), 81_920.0))
    assert len(printed(shown)) == 4, "a line was folded"


def test_each_complaint_is_told_once_with_its_count() -> None:
    lines = explanations(benchmark(TextRuns("a", "Hi.", (FAILED, whole(1.0), FAILED))))
    assert lines[-1] == "2 times server_error: HTTP 500: TTS engine failed"
