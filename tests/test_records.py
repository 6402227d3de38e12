"""The record on its way through JSON and back."""

from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest

from stt_load.errors import Outcome
from stt_load.kinds import KINDS
from stt_load.records import Figures, Utterance, UtteranceRecord

NAN, INFINITY = math.nan, math.inf


def record(**what: object) -> UtteranceRecord:
    return UtteranceRecord("run", 1, 2, 3, "hold", 40, "clip", "reference words", **what)  # type: ignore[arg-type]


class SaidByServer(Figures, frozen=True, gc=False):
    error: str


FULL = record(
    outcome=Outcome.OK,
    eos_latency_s=0.25,
    stream_end_latency_s=-0.5,
    messages=[(1.25, "héllo"), (1.5, "")],
    server_ms={"decode": 3.5},
    text="héllo",
    close_code=1000,
)


def test_a_record_comes_back_from_its_line_as_it_was() -> None:
    line = FULL.to_json()
    assert b"\n" not in line
    assert UtteranceRecord.from_json(line) == FULL


def test_a_row_has_the_keys_of_some_servers_and_options_where_one_of_them_says_something() -> None:
    plain = record(text=',"answer_s":null,"early_answers":null}')
    called = msgspec.structs.replace(plain, call=0)
    assert {"screen", "call", "early_answers"} & json.loads(plain.to_json()).keys() == {"screen"}
    assert {"eager_turn_ends", "call", "early_answers"} <= json.loads(called.to_json()).keys()
    assert [UtteranceRecord.from_json(each.to_json()) for each in (plain, called)] == [plain, called]


def test_a_line_of_a_later_version_still_loads() -> None:
    row = {**json.loads(FULL.to_json()), "a_figure_of_tomorrow": 1.5}
    assert UtteranceRecord.from_json(json.dumps(row)) == FULL


def test_a_line_of_an_earlier_version_gets_what_it_lacks() -> None:
    row = json.loads(FULL.to_json())
    del row["server_ms"]
    assert UtteranceRecord.from_json(json.dumps(row)).server_ms is None


def test_of_the_words_of_a_server_that_says_very_many_the_first_are_kept() -> None:
    measured = SaidByServer(error="no " * 300_000)
    kept = UtteranceRecord.assemble(Utterance("run", 1, 2, 3, "hold", 40, "clip", "words"), [measured], 0.0).error
    assert kept is not None
    assert (len(kept), kept[:6], kept[-1]) == (2_000, "no no ", "…")


def test_a_row_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="run_id"):
        UtteranceRecord.from_json('{"worker": 0}')


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("eos_latency_s", "0.4"),
        ("eos_latency_s", 1e308),
        ("eos_latency_s", 10**30),
        ("audio_s", -1.0),
        ("started_at", -1e9),
        ("frames", 1.5),
        ("frames", True),
        ("frames", -1),
        ("stage", None),
        ("phase", "held"),
        ("outcome", "fine"),
        ("kind", "video"),
        ("end", ""),
        ("messages", [[1.5]]),
        ("messages", [[1.5, None]]),
        ("pacing_lag_counts", {"one": 1}),
        ("server_ms", {"decode": []}),
        ("wer", -0.1),
    ],
)
def test_a_row_with_a_value_that_can_not_be_is_refused_with_its_field(field: str, value: object) -> None:
    row = {**json.loads(FULL.to_json()), field: value}
    with pytest.raises(ValueError, match=rf"\$\.{field}"):
        UtteranceRecord.from_json(json.dumps(row))


def test_the_outcome_is_a_word() -> None:
    assert type(UtteranceRecord.from_json(FULL.to_json()).outcome) is str
    assert json.loads(FULL.to_json())["outcome"] == "ok"


def test_what_is_not_measured_is_null_and_never_a_number_that_is_none() -> None:
    row = json.loads(record().to_json())
    assert (row["eos_latency_s"], row["wer"], row["close_code"]) == (None, None, None)


@pytest.mark.parametrize("what", [{"eos_latency_s": NAN}, {"wer": -INFINITY}, {"server_ms": {"decode": NAN}}])
def test_what_json_has_no_number_for_is_refused_rather_than_lost(what: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        record(**what).to_json()


def test_a_number_of_numpy_is_refused() -> None:
    with pytest.raises(TypeError, match="numpy"):
        record(eos_latency_s=np.float64(0.5)).to_json()


def test_half_an_emoji_from_a_server_can_be_written_everywhere() -> None:
    broken = record(text="a \ud83d", messages=[[1.0, "b \ud83d"]], error="c \ud83d", server_ms={"\ud83d": 1.0})
    line = broken.to_json()
    row = json.loads(line)
    assert (row["text"], row["messages"], row["error"], row["server_ms"]) == (
        "a \ufffd",
        [[1.0, "b \ufffd"]],
        "c \ufffd",
        {"\ufffd": 1.0},
    )


@pytest.mark.parametrize("outcome", Outcome)
def test_only_ok_is_ok(outcome: Outcome) -> None:
    assert record(outcome=outcome).is_ok == (outcome is Outcome.OK)
    assert UtteranceRecord.from_json(record(outcome=outcome).to_json()).is_ok == (outcome is Outcome.OK)


@pytest.mark.parametrize("phase", ["ramp", "hold", "grace", "settle"])
def test_only_what_started_in_the_hold_counts(phase: str) -> None:
    started = record()
    started.phase = phase
    assert started.is_counted == (phase == "hold")


# what was measured becomes a record ---------------------------------------------------------------------------------


class Half(Figures, frozen=True, gc=False):
    outcome: Outcome
    duration_s: float | None


class OtherHalf(Figures, frozen=True, gc=False):
    text: str


WHO = Utterance("run", 1, 2, 3, "hold", 4, "clip", "hello", True, "upload")


def test_a_record_is_who_spoke_and_what_every_part_measured() -> None:
    record = UtteranceRecord.assemble(WHO, (Half(Outcome.OK, 2.5), OtherHalf("hello")), ended_at=100.0)
    assert record == UtteranceRecord(
        "run", 1, 2, 3, "hold", 4, "clip", "hello", True, "upload", Outcome.OK, 97.5, duration_s=2.5, text="hello"
    )


def test_a_record_of_which_nothing_was_measured_was_interrupted() -> None:
    record = UtteranceRecord.assemble(WHO, (), ended_at=100.0)
    assert (record.outcome, record.started_at, record.duration_s) == (Outcome.INTERRUPTED, 100.0, None)


def parts_of(base: type[Figures]) -> list[type[Figures]]:
    return [part for child in base.__subclasses__() for part in (child, *parts_of(child))]


def test_every_part_measures_fields_of_a_record() -> None:
    for kind in KINDS.values():
        kind.workload_class()  # its module has the parts
    known = {field.name for field in msgspec.structs.fields(UtteranceRecord)}
    parts = [part for part in parts_of(Figures) if part.__module__.startswith("stt_load.")]
    assert {part.__name__ for part in parts} >= {"SessionResult", "Latencies", "SentAudio", "ConnectionUse"}
    for part in parts:
        assert [field.name for field in msgspec.structs.fields(part) if field.name not in known] == [], part


def test_a_field_that_no_record_has_is_no_figure() -> None:
    class Stray(Figures, frozen=True, gc=False):
        loudness_db: float

    with pytest.raises(TypeError):
        UtteranceRecord.assemble(WHO, (Stray(1.0),), ended_at=100.0)
