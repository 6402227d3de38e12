from stt_load.server.timings import Timings


def test_totals_and_percentiles_are_those_of_every_text() -> None:
    timings = Timings()
    for decode_ms in range(1, 101):
        timings.add({"queue": 1.0, "decode": float(decode_ms)}, audio_s=2.0)
    summary = timings.summary()
    assert (summary["texts"], summary["audio_s"]) == (100, 200.0)
    assert summary["timings_ms"] == {
        "queue": {"total": 100.0, "mean": 1.0, "max": 1.0, "p50": 1.0, "p95": 1.0, "p99": 1.0},
        "decode": {"total": 5050.0, "mean": 50.5, "max": 100.0, "p50": 50.0, "p95": 95.0, "p99": 99.0},
    }


def test_before_the_first_text_there_is_nothing_to_say() -> None:
    assert Timings().summary() == {"texts": 0, "audio_s": 0.0, "timings_ms": {}}
