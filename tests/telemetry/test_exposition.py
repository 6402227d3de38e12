"""What Prometheus gets, read by its own tools: prometheus_client's parsers, promtool, and its protobuf messages."""

from __future__ import annotations

import subprocess

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.decoder import _DecodeVarint32
from live_figures import live_figures
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from stt_load.kinds import KINDS, TTS
from stt_load.telemetry.exported import EXPORTED, Kind, exported_of
from stt_load.telemetry.exposition import answer
from stt_load.telemetry.histogram import SCHEMA, ZERO_THRESHOLD_S

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain"

# The messages of metrics.proto in client_model, as far as they are served: name -> (field, number, type). A type in
# capitals is a message, a star stands for `repeated`.
_MESSAGES = {
    "LabelPair": [("name", 1, "string"), ("value", 2, "string")],
    "Gauge": [("value", 1, "double")],
    "Counter": [("value", 1, "double")],
    "Bucket": [("cumulative_count", 1, "uint64"), ("upper_bound", 2, "double")],
    "BucketSpan": [("offset", 1, "sint32"), ("length", 2, "uint32")],
    "Histogram": [
        *(("sample_count", 1, "uint64"), ("sample_sum", 2, "double"), ("bucket", 3, "*Bucket")),
        *(("schema", 5, "sint32"), ("zero_threshold", 6, "double"), ("zero_count", 7, "uint64")),
        *(("positive_span", 12, "*BucketSpan"), ("positive_delta", 13, "*sint64")),
    ],
    "Metric": [
        *(("label", 1, "*LabelPair"), ("gauge", 2, "Gauge"), ("counter", 3, "Counter"), ("histogram", 7, "Histogram")),
    ],
    "MetricFamily": [("name", 1, "string"), ("help", 2, "string"), ("type", 3, "int32"), ("metric", 4, "*Metric")],
}  # fmt: skip


def families_of(body: bytes) -> dict[str, object]:
    """The families of a delimited protobuf answer, by name."""
    file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package="test", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            label, kind = (3, kind[1:]) if kind.startswith("*") else (1, kind)
            if kind[0].isupper():
                message.field.add(name=field, number=number, label=label, type=11, type_name=f".test.{kind}")
            else:
                wire_type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
                message.field.add(name=field, number=number, label=label, type=wire_type)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    family_class = message_factory.GetMessageClass(pool.FindMessageTypeByName("test.MetricFamily"))
    found, at = {}, 0
    while at < len(body):
        length, at = _DecodeVarint32(body, at)
        family = family_class.FromString(body[at : at + length])
        found[family.name] = family
        at += length
    return found


def samples_of(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def text_of(accept: str = "", **changes: object) -> str:
    return answer(live_figures(**changes), accept)[0].decode()


def test_a_run_is_told_with_its_stage_callers_latencies_failures_and_verdicts() -> None:
    samples = samples_of(text_of())
    stage = {"stage": "0", "users": "5"}
    expected = {
        ("stt_load_stage_info", (("phase", "hold"), ("run_id", "0123456789ab"), ("stage", "1"), ("users", "10"))): 1,
        ("stt_load_callers_target", ()): 10,
        ("stt_load_callers", ()): 9,
        ("stt_load_caller_states", (("state", "speaking"),)): 4,
        ("stt_load_utterances_total", (("outcome", "ok"),)): 6,
        ("stt_load_failures_total", (("outcome", "refused"), ("reason", "full"))): 1,
        ("stt_load_eos_latency_seconds_bucket", (("le", "0.45"),)): 3,
        ("stt_load_eos_latency_seconds_bucket", (("le", "+Inf"),)): 6,
        ("stt_load_eos_latency_seconds_count", ()): 6,
        ("stt_load_late_frames_total", ()): 6,
        ("stt_load_word_errors_total", ()): 0,
        ("stt_load_generator_cpu_ratio", ()): 0.25,
        ("stt_load_stage_valid", tuple(stage.items())): 1,
        ("stt_load_stage_passed", tuple(stage.items())): 1,
    }
    assert expected.items() <= samples.items()


def test_every_outcome_is_there_from_the_start() -> None:
    """A counter that appears with its first failure has no rate over it."""
    outcomes = {labels for name, labels in samples_of(text_of()) if name == "stt_load_utterances_total"}
    assert len(outcomes) == 8


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_promtool_finds_nothing_to_object_to(kind: object) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text_of(kind=kind),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_scraper_of_openmetrics_gets_it() -> None:
    body, content_type = answer(live_figures(), OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert {f"stt_load_{row.name}" for row in exported_of(live_figures().kind) if row.unit == ""} <= {
        family.name for family in parse_openmetrics(body.decode())
    }


def test_a_kind_of_load_is_told_what_it_has() -> None:
    names = {name for name, _ in samples_of(text_of(kind=TTS))}
    assert "stt_load_request_duration_seconds_count" in names
    assert not [name for name in names if any(part in name for part in ("eos_latency", "word"))]


def test_a_figure_that_is_not_known_is_left_out() -> None:
    assert "generator_cpu" not in text_of(generator_cpu_pct=None)
    assert "stage_valid" not in text_of(ended=())


def test_protobuf_has_native_buckets_beside_the_classic_ones() -> None:
    live = live_figures()
    body, content_type = answer(live, PROTOBUF)
    assert content_type.startswith("application/vnd.google.protobuf")
    histogram = families_of(body)["stt_load_eos_latency_seconds"].metric[0].histogram  # type: ignore[attr-defined]
    assert (histogram.sample_count, histogram.zero_count, len(histogram.bucket)) == (6, 1, 30)
    assert (histogram.schema, histogram.zero_threshold) == (SCHEMA, ZERO_THRESHOLD_S)
    index, n, counted = 0, 0, {}
    deltas = iter(histogram.positive_delta)
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            n += next(deltas)
            counted[index] = n
            index += 1
    assert {index: n for index, n in counted.items() if n} == dict(live.counters.headline.native)


def test_protobuf_and_text_hold_the_same() -> None:
    live = live_figures()
    families = families_of(answer(live, PROTOBUF)[0])
    samples = samples_of(answer(live, "")[0].decode())
    told = {
        (name, tuple(sorted((pair.name, pair.value) for pair in metric.label))): max(
            metric.gauge.value, metric.counter.value
        )
        for name, family in families.items()
        for metric in family.metric  # type: ignore[attr-defined]
        if not metric.HasField("histogram")
    }
    assert told == {key: value for key, value in samples.items() if "_latency_" not in key[0]}


def test_names_are_those_that_a_collector_makes_of_the_pushed_ones() -> None:
    """OpenTelemetry's rule: dots become underscores, the unit and `_total` are appended."""
    names = {row.otlp_name: row.prometheus_name for row in EXPORTED}
    assert names["stt_load.eos_latency"] == "stt_load_eos_latency_seconds"
    assert names["stt_load.utterances"] == "stt_load_utterances_total"
    assert names["stt_load.audio"] == "stt_load_audio_seconds_total"
    assert names["stt_load.generator_cpu"] == "stt_load_generator_cpu_ratio"
    assert all(
        name.endswith("_total") for row, name in zip(EXPORTED, names.values(), strict=True) if row.kind is Kind.COUNTER
    )


def test_a_scraper_that_asks_for_a_version_that_is_none_gets_text() -> None:
    body, content_type = answer(live_figures(), "application/openmetrics-text; version=1..0")
    assert content_type.startswith("text/plain")
    assert b"stt_load_utterances_total" in body
