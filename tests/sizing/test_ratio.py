"""A ratio of two machines, from made-up runs on both, and what is sized by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_run import MadeRun, made_run, made_uploads
from made_samples import gpu_entry, sidecar_entry
from msgspec.structs import replace
from sized import replica

from stt_load.errors import ConfigError
from stt_load.sizing.document import markdown
from stt_load.sizing.ratio import RatioConfig, measure_ratio, read_ratio
from stt_load.sizing.ratio_report import ratio_document
from stt_load.sizing.replica import Unusable, read_replica
from stt_load.sizing.speed import speed_for, speed_of
from stt_load.text.json_text import json_text

TWICE_AS_SLOW = 2.0


def slower(made: MadeRun, factor: float = TWICE_AS_SLOW) -> MadeRun:
    """The same run on a machine that takes `factor` times as long, and completes so many times fewer requests."""
    kept = [n for n in range(len(made.utterances)) if n % factor == 0] if made.run.get("kind") == "upload" else None
    made.utterances = [
        replace(
            record,
            **{
                name: value * factor
                for name in ("eos_latency_s", "total_s")
                if (value := getattr(record, name)) is not None
            },
        )
        for n, record in enumerate(made.utterances)
        if kept is None or n in kept
    ]
    for row in made.transitions:
        if kept is not None:
            row |= {"begun": row["begun"] // 2, "ended": row["ended"] // 2}
    made.transitions[-1]["delivery"] |= {"rows": len(made.utterances), "totals": {"one": len(made.utterances)}}
    return made


def uploads() -> MadeRun:
    made = made_uploads((1, 2))
    made.run["slos"] = ["error_rate<5%"]
    return made


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("streams")
    one, other = (made_run((1, 5, 10), knee_at=knee, seed=seed) for knee, seed in ((6, 7), (3, 8)))
    one.run |= {"sidecars": [sidecar_entry(machine={"cpu_model": "A", "cores": 8})], "gpu": [gpu_entry()]}
    return one.write(folder / "a"), other.write(folder / "b")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RatioConfig:
    folder = tmp_path_factory.mktemp("uploads")
    return measure_ratio(uploads().write(folder / "a"), slower(uploads()).write(folder / "b"))


def test_latency_and_rate_of_a_machine_that_takes_twice_as_long(config: RatioConfig) -> None:
    assert [load["users"] for load in config["loads"]] == [1, 2]
    row = config["latency_ratio"]["p50"]
    assert row["ratio"] == pytest.approx(TWICE_AS_SLOW, rel=0.05)
    assert row["low"] is not None and row["high"] is not None and row["low"] < TWICE_AS_SLOW < row["high"]
    rps = config["rps_ratio"]
    assert rps is not None
    assert rps["ratio"] == pytest.approx(0.5)
    speed = speed_of(config)
    assert (speed.factor, speed.told) == (pytest.approx(0.5), "the ratio of requests a second with 2 at once")
    assert speed.low < 0.5 < speed.high


def test_a_run_beside_itself_is_as_fast(streams: tuple[Path, Path]) -> None:
    config = measure_ratio(streams[0], streams[0])
    assert all(row["ratio"] == 1 for load in config["loads"] for row in load["latency"].values())
    assert all(
        row["low"] is None or row["high"] is None or row["low"] <= 1 <= row["high"]
        for row in config["latency_ratio"].values()
    )


def test_streams_are_held_against_each_other_by_callers_held(streams: tuple[Path, Path]) -> None:
    config = measure_ratio(*streams)
    assert config["rps_ratio"] is None
    # The first holds 5 and not 10, the second 1 and not 5.
    assert config["holds_ratio"] == {"ratio": 0.2, "low": 0.1, "high": 1.0}
    assert speed_of(config).told == "the ratio of callers held"


def test_a_machine_that_never_broke_leaves_only_latency(tmp_path: Path, streams: tuple[Path, Path]) -> None:
    idle = made_run((1, 5), knee_at=50).write(tmp_path / "idle")
    config = measure_ratio(streams[0], idle)
    assert config["holds_ratio"] is None
    assert "no measure of capacity" in speed_of(config).told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"dialect": "vosk"}, "dialect: parakeet in --from, vosk in --to", id="another server"),
        pytest.param({"dialect_options": {"model": "large"}}, "model large in --to", id="another model"),
        pytest.param({"stt_url": "ws://h/ws?model=large"}, "query of the URL", id="another model in the URL"),
        pytest.param({"end": "server"}, "end of utterance", id="another end"),
        pytest.param({"clips": {"n": 6, "manifest_sha256": "1" * 64}}, "clips", id="other clips"),
    ],
)
def test_other_models_are_refused_unless_forced(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    one, other = uploads(), uploads()
    for made in (one, other):
        made.run |= {"kind": "upload", "dialect": "parakeet", "stt_url": "ws://h/ws?token=a"}
    other.run |= change
    folders = one.write(tmp_path / "a"), other.write(tmp_path / "b")
    with pytest.raises(ConfigError) as raised:
        measure_ratio(*folders)
    assert any(told in line for line in raised.value.problems)
    assert raised.value.problems[-1].endswith("add --anyway")
    forced = measure_ratio(*folders, is_forced=True)
    assert any(told in line for line in forced["differing"])
    assert told in markdown(ratio_document(forced, None))


def test_two_kinds_of_load_can_not_be_forced(tmp_path: Path, streams: tuple[Path, Path], config: RatioConfig) -> None:
    with pytest.raises(ConfigError, match="--from is a run of stream, --to of upload: take runs of one kind"):
        measure_ratio(streams[0], uploads().write(tmp_path / "upload"), is_forced=True)
    with pytest.raises(ConfigError, match="it is one of upload, and RUN is a run of stream"):
        speed_for(config, read_replica(streams[0]), is_forced=True)


def test_credentials_of_the_url_are_no_difference_and_are_not_kept(tmp_path: Path) -> None:
    one, other = uploads(), uploads()
    one.run["stt_url"], other.run["stt_url"] = "http://a:1/x?token=secret", "http://b:2/x?token=other"
    config = measure_ratio(one.write(tmp_path / "a"), other.write(tmp_path / "b"))
    assert "secret" not in json.dumps(config)


def test_runs_without_a_common_load_are_refused(tmp_path: Path) -> None:
    folders = [made_run(ladder, knee_at=50).write(tmp_path / str(ladder)) for ladder in ((1, 5), (2, 6))]
    with pytest.raises(ConfigError, match=r"no number of callers is in both runs \(1, 5 and 2, 6\)"):
        measure_ratio(*folders)


def test_a_run_that_is_not_to_be_believed_gives_no_ratio(tmp_path: Path) -> None:
    broken = made_run((1, 5), knee_at=50)
    broken.utterances = [replace(record, frames_late=record.frames) for record in broken.utterances]
    with pytest.raises(Unusable, match="a ratio needs both"):
        measure_ratio(made_run((1, 5), knee_at=50).write(tmp_path / "a"), broken.write(tmp_path / "b"))


def test_what_was_saved_is_read_again(tmp_path: Path, config: RatioConfig) -> None:
    (tmp_path / "ratio.json").write_text(json_text(config))
    assert read_ratio(tmp_path / "ratio.json") == config


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda content: {name: value for name, value in content.items() if name != key}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: [content], id="a list"),
        pytest.param(without("from"), id="a side is missing"),
        pytest.param(without("loads"), id="no loads at all"),
        pytest.param(lambda content: {**content, "loads": []}, id="an empty list of loads"),
        pytest.param(lambda content: {**content, "schema_version": 99}, id="a later version"),
        pytest.param(lambda content: {**content, "rps_ratio": {"ratio": -1, "low": 0, "high": 1}}, id="below zero"),
        pytest.param(lambda content: {**content, "latency_ratio": {"p95": "fast"}}, id="words for numbers"),
        pytest.param(lambda content: {**content, "from": {**content["from"], "machine": {}}}, id="no machine"),
        pytest.param(
            lambda content: {**content, "to": {**content["to"], "machine": {"server": ["x"], "gpus": [], "load": {}}}},
            id="a machine in words",
        ),
        pytest.param(lambda content: {"stages": [], "verdict": "pass", "x": "\ud83d"}, id="a summary.json"),
    ],
)
def test_a_file_that_is_no_ratio_is_one_line(tmp_path: Path, config: RatioConfig, spoil: Callable[[Any], Any]) -> None:
    (tmp_path / "ratio.json").write_text(json.dumps(spoil(config)))
    with pytest.raises(ConfigError, match=r"give the file that `stt-load ratio --save` wrote") as raised:
        read_ratio(tmp_path / "ratio.json")
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_rubbish_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ratio.json").write_bytes(content)
    with pytest.raises(ConfigError, match="no JSON"):
        read_ratio(tmp_path / "ratio.json")
    with pytest.raises(ConfigError, match="can't be read"):
        read_ratio(tmp_path)


def test_a_run_on_the_first_machine_is_sized_for_the_second(streams: tuple[Path, Path]) -> None:
    config = measure_ratio(*streams)
    speed, caveats = speed_for(config, read_replica(streams[0]))
    assert speed.factor == pytest.approx(0.2)
    assert "the ratio was measured with up to 10 callers, and K is within that" in caveats


def test_beyond_the_loads_of_the_ratio_it_says_how_far(streams: tuple[Path, Path]) -> None:
    config = measure_ratio(*streams)
    one = read_replica(streams[0])
    far = replica(model=one.model, machine=one.machine, holds=40, cpu=one.cpu)
    _, caveats = speed_for(config, far)
    assert any("K, 40, is 4.0 times as many, which is extrapolated" in line for line in caveats)


def test_a_run_of_another_model_or_machine_is_refused_unless_forced(streams: tuple[Path, Path]) -> None:
    config = measure_ratio(*streams)
    one = read_replica(streams[0])
    others = [
        (
            replica(model={**one.model, "dialect": "vosk"}, machine=one.machine),
            "dialect: parakeet in the ratio, vosk in RUN",
        ),
        (replica(model=one.model, machine={**one.machine, "gpus": [{"name": "H100"}]}), "GPUs"),
        (
            replica(model=one.model, machine={**one.machine, "server": [{"host": "other", "cores": 4}]}),
            "machine of the server",
        ),
    ]
    for other, told in others:
        with pytest.raises(ConfigError) as raised:
            speed_for(config, other)
        assert any(told in line for line in raised.value.problems)
        _, caveats = speed_for(config, other, is_forced=True)
        assert any("forced by --anyway" in line and told in line for line in caveats)
