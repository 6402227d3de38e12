"""The one declaration of every figure of a stage: what it means, how it is aggregated, and where it is shown.

The aggregation of records (`stage.py`), the objectives (`slo.py`), the columns of `stages.csv`, the keys of
`summary.json` and the table that people read are all made from `FIGURES`. A figure that a record carries is one row.

The order of the rows is the order of the columns of `stages.csv` behind its fixed ones, so a new row goes to the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from stt_load.kinds import (
    ALL_KINDS,
    CONVERSATIONS,
    IN_FRAMES,
    KINDS,
    PACED,
    REQUESTS,
    STREAMS,
    SYNTHESISED,
    TEXTS,
    TRANSCRIBED,
    LoadKind,
)

UPLOADS = REQUESTS & TRANSCRIBED

NOTHING = "-"
"""What stands in place of a figure that was not measured."""

FAILED = "failed"
"""What stands in place of a percentile that falls on an utterance that did not complete."""

NOT_STREAMED = "not streamed"


class Unit(StrEnum):
    """The unit of a figure inside the program and in `summary.json`."""

    SECONDS = "s"
    RATIO = "ratio"  # 0 to 1; percent where people read it
    FACTOR = "factor"
    COUNT = "count"
    PERCENT = "%"  # of what the row says; 0 to 100 inside too
    CORES = "cores"
    MIB = "MiB"
    MIB_PER_MIN = "MiB/min"
    WATTS = "W"
    JOULES = "J"
    PER_SECOND = "1/s"
    PER_MINUTE = "1/min"
    SECONDS_PER_MIN = "s/min"


class Source(StrEnum):
    """Where the value of a figure comes from."""

    COMPLETED = "values of completed utterances"
    COUNTED = "values of all counted utterances"  # a refused caller still has a connect time
    SUM = "sum over counted utterances"
    STAGE = "computed for the stage"  # a property of StageFigures
    RUN = "observed by the run"  # a property of StageReport
    GPU = "samples of the busiest GPU"
    SERVER = "samples of the server's processes"
    HOST = "samples of the busiest host"


DISTRIBUTED = frozenset({Source.COMPLETED, Source.COUNTED})
"""Sources whose figure is a distribution: one value for each utterance."""

SAMPLED_DEVICES: dict[Source, str] = {Source.GPU: "gpu", Source.SERVER: "process", Source.HOST: "host"}
"""The kind of device (a key of `report.device.DEVICE_KINDS`) whose samples a figure is made of."""


class Place(IntEnum):
    """The part of the main table in which a figure stands, from left to right."""

    LOAD = 0
    HEADLINE = 1
    LATENCY = 2
    AUDIO = 3
    SPEED = 4
    ACCURACY = 5
    DEVICE = 6
    COUNT = 7


@dataclass(frozen=True, slots=True)
class CsvColumn:
    """One column of `stages.csv`: a statistic of the figure (None: its only value) times `factor`."""

    name: str
    statistic: str | None = None
    digits: int = 0
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of the main table: a statistic of the figure (None: its only value) times `factor`.

    `kinds`: the kinds of load that show it, where not all that have the figure do.
    """

    heading: str
    statistic: str | None = None
    digits: int = 0
    factor: float = 1.0
    kinds: frozenset[LoadKind] = ALL_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a stage.

    `name` is the word that objectives, columns and headings share. `field` names it with its unit: it is the field of
    the record, the property that computes it, and the key in `summary.json`. `meaning`: from where to where, or what is
    counted, in words for users. `of`: what n counts behind a rate or a statistic. `unstreamed`: what the table shows
    where no answer was streamed; None for a figure that other answers have too.
    """

    name: str
    field: str
    unit: Unit
    source: Source
    meaning: str
    kinds: frozenset[LoadKind] = ALL_KINDS
    has_slo: bool = False
    in_json: bool = True
    of: str = "utterance"
    unstreamed: str | None = None
    place: Place = Place.LATENCY
    csv: tuple[CsvColumn, ...] = ()
    table: tuple[TableColumn, ...] = ()

    @property
    def is_distribution(self) -> bool:
        """The figure has a value for each utterance, so that an objective on it names a statistic."""
        return self.source in DISTRIBUTED


def _csv(prefix: str, *statistics: str, unit: str = "_s") -> tuple[CsvColumn, ...]:
    return tuple(CsvColumn(f"{prefix}_{statistic}{unit}", statistic, 4) for statistic in statistics)


def _fixed(prefix: str, *statistics: str) -> tuple[CsvColumn, ...]:
    """Columns whose names are a contract older than the rule that a name ends in its unit."""
    return _csv(prefix, *statistics, unit="")


def _ms(prefix: str, *statistics: str) -> tuple[CsvColumn, ...]:
    return tuple(CsvColumn(f"{prefix}_{statistic}_ms", statistic, 1, 1000) for statistic in statistics)


def _table(heading: str, *statistics: str) -> tuple[TableColumn, ...]:
    return tuple(TableColumn(f"{heading} {statistic}", statistic, 3) for statistic in statistics)


def _percent(name: str, digits: int = 2) -> tuple[CsvColumn, ...]:
    return (CsvColumn(name, None, digits, 100),)


def _one(name: str, digits: int = 0) -> tuple[CsvColumn, ...]:
    return (CsvColumn(name, None, digits),)


FIGURES: tuple[Figure, ...] = (
    Figure(
        name="n",
        field="n",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="counted utterances: those that started in the hold",
        place=Place.COUNT,
        csv=_one("n"),
        table=(TableColumn("n"),),
    ),
    Figure(
        name="ok",
        field="ok",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="completed utterances",
        csv=_one("ok"),
    ),
    Figure(
        name="errors",
        field="errors",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="utterances that failed: neither completed nor interrupted by the end of the run",
        place=Place.COUNT,
        csv=_one("errors"),
        table=(TableColumn("errors"),),
    ),
    Figure(
        name="interrupted",
        field="interrupted",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="utterances cut off by the end of the run; they are no errors",
        csv=_one("interrupted"),
    ),
    Figure(
        name="error_rate",
        field="error_rate",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="errors / counted utterances that were not interrupted",
        has_slo=True,
        csv=_percent("error_rate_pct"),
    ),
    Figure(
        name="eos_latency",
        field="eos_latency_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="end of speech → the message that completes the transcript",
        kinds=STREAMS,
        has_slo=True,
        csv=(
            *_fixed("eos", "p50", "p95", "mean"),
            *_csv("eos", "p99", "min", "max"),
            CsvColumn("eos_p95_ci95_low_s", "p95_low", 4),
            CsvColumn("eos_p95_ci95_high_s", "p95_high", 4),
        ),
        table=_table("EOS", "p50", "p95", "mean"),
    ),
    Figure(
        name="stream_end_latency",
        field="stream_end_latency_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="last frame sent, trailing silence included → last text; negative if the server answered before that",
        kinds=STREAMS,
        has_slo=True,
        csv=(*_fixed("stream_end", "p50", "p95", "mean"), *_csv("stream_end", "p99")),
        table=_table("stream end", "p95"),
    ),
    Figure(
        name="settled_latency",
        field="settled_latency_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="end of speech → the server says that nothing more comes",
        kinds=STREAMS,
        has_slo=True,
    ),
    Figure(
        name="finalise_latency",
        field="finalise_latency_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="the client's end message → the server's answer to it",
        kinds=STREAMS,
        has_slo=True,
        csv=_csv("finalise", "p50", "p95"),
    ),
    Figure(
        name="first_partial",
        field="first_partial_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="start of speech → first text that is not empty",
        kinds=STREAMS,
        has_slo=True,
        csv=_csv("first_partial", "p50", "p95"),
    ),
    Figure(
        name="connect",
        field="connect_s",
        unit=Unit.SECONDS,
        source=Source.COUNTED,
        meaning="dial → connection open (websocket upgrade included)",
        has_slo=True,
        csv=_csv("connect", "p50", "p95"),
    ),
    Figure(
        name="ready",
        field="ready_s",
        unit=Unit.SECONDS,
        source=Source.COUNTED,
        meaning="connection open → the server's ready message; 0 if its protocol has none",
        kinds=PACED,
        has_slo=True,
        csv=_csv("ready", "p95"),
    ),
    Figure(
        name="wer",
        field="wer",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="word error rate of completed utterances: errors / reference words, summed over the stage",
        kinds=TRANSCRIBED,
        has_slo=True,
        place=Place.ACCURACY,
        csv=_percent("wer_pct"),
        table=(TableColumn("WER%", None, 1, 100),),
    ),
    Figure(
        name="wer_all",
        field="wer_all",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="the same over all utterances; one without a transcript counts as all deleted",
        kinds=TRANSCRIBED,
        has_slo=True,
        csv=_percent("wer_all_pct"),
    ),
    Figure(
        name="wer_delta",
        field="wer_delta",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="WER of this stage minus WER of the first stage, over clips that both completed",
        kinds=TRANSCRIBED,
        has_slo=True,
        csv=_percent("wer_delta_pct"),
    ),
    Figure(
        name="cer",
        field="cer",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="character error rate of completed utterances",
        kinds=TRANSCRIBED,
        has_slo=True,
        csv=_percent("cer_pct"),
    ),
    Figure(
        name="foreign_text",
        field="foreign_text",
        unit=Unit.COUNT,
        source=Source.SUM,
        meaning="messages that carried another caller's words",
        kinds=TRANSCRIBED,
        has_slo=True,
        csv=_one("foreign_text"),
    ),
    Figure(
        name="clips",
        field="clips",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="different clips of which audio was sent, or received",
        csv=_one("clips"),
    ),
    Figure(
        name="clips_reused",
        field="clips_reused",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="utterances whose clip another caller was speaking at the same time",
        csv=_one("clips_reused"),
    ),
    Figure(
        name="audio",
        field="audio_s",
        unit=Unit.SECONDS,
        source=Source.SUM,
        meaning="audio sent, or received from a TTS server, trailing silence included",
        csv=_one("audio_s", 1),
    ),
    Figure(
        name="speech",
        field="speech_s",
        unit=Unit.SECONDS,
        source=Source.SUM,
        meaning="speech in that audio",
        csv=_one("speech_s", 1),
    ),
    Figure(
        name="audio_duration",
        field="utterance_s_mean",
        unit=Unit.SECONDS,
        source=Source.STAGE,
        meaning="audio of the mean completed utterance",
        place=Place.AUDIO,
        csv=_one("audio_duration_s", 3),
        table=(TableColumn("Audio Dur", None, 2),),
    ),
    Figure(
        name="duty_cycle",
        field="duty_cycle",
        unit=Unit.RATIO,
        source=Source.RUN,
        meaning="share of the hold in which the mean caller was sending audio",
        kinds=PACED,
        csv=_percent("duty_cycle_pct", 1),
    ),
    Figure(
        name="hold",
        field="hold_s",
        unit=Unit.SECONDS,
        source=Source.RUN,
        meaning="length of the hold",
        csv=_one("hold_s", 1),
    ),
    Figure(
        name="users_reached",
        field="users_reached",
        unit=Unit.COUNT,
        source=Source.RUN,
        meaning="callers there when the hold began",
        csv=_one("users_reached"),
    ),
    Figure(
        name="workers",
        field="workers",
        unit=Unit.COUNT,
        source=Source.RUN,
        meaning="load workers",
        csv=_one("workers"),
    ),
    Figure(
        name="pacing_lag_p99",
        field="pacing_lag_p99_s",
        unit=Unit.SECONDS,
        source=Source.STAGE,
        meaning="frame due → frame handed to the kernel: p99 over all frames, rounded up to a whole millisecond",
        kinds=IN_FRAMES,
        in_json=False,  # there it is `pacing_lag_s`
        csv=(CsvColumn("pacing_lag_p99_ms", None, 2, 1000),),
    ),
    Figure(
        name="pacing_lag_max",
        field="pacing_lag_max_s",
        unit=Unit.SECONDS,
        source=Source.STAGE,
        meaning="the same for the latest frame of the stage",
        kinds=IN_FRAMES,
        in_json=False,
        csv=(CsvColumn("pacing_lag_max_ms", None, 2, 1000),),
    ),
    Figure(
        name="generator_cpu",
        field="generator_cpu_pct",
        unit=Unit.PERCENT,
        source=Source.RUN,
        meaning="CPU of the busiest generator process, percent of one core",
        csv=_one("generator_cpu_pct"),
    ),
    Figure(
        name="gpu_coverage",
        field="gpu_coverage",
        unit=Unit.RATIO,
        source=Source.RUN,
        meaning="share of the hold in which the GPU's load was sampled",
        in_json=False,  # there every device has its own
        csv=_percent("gpu_coverage_pct", 1),
    ),
    Figure(
        name="gpu_util",
        field="sm_pct",
        unit=Unit.PERCENT,
        source=Source.GPU,
        meaning="share of time with a kernel running",
        in_json=False,
        place=Place.DEVICE,
        csv=(CsvColumn("gpu_util_p95", "p95", 1), CsvColumn("gpu_util_mean", "mean", 1)),
        table=(TableColumn("GPU%p95", "p95"), TableColumn("GPU%mean", "mean")),
    ),
    Figure(
        name="vram",
        field="fb_mib",
        unit=Unit.MIB,
        source=Source.GPU,
        meaning="GPU memory in use, by any process",
        in_json=False,
        place=Place.DEVICE,
        csv=(CsvColumn("vram_peak_mib", "max", 0), CsvColumn("vram_mean_mib", "mean", 1)),
        table=(TableColumn("VRAM peak", "max"), TableColumn("VRAM mean", "mean")),
    ),
    Figure(
        name="gpu_power",
        field="power_w",
        unit=Unit.WATTS,
        source=Source.GPU,
        meaning="power of the GPU",
        in_json=False,
        csv=(CsvColumn("gpu_power_mean_w", "mean", 1),),
    ),
    Figure(
        name="gpu_energy",
        field="energy_j",
        unit=Unit.JOULES,
        source=Source.GPU,
        meaning="mean power × length of the hold",
        in_json=False,
        csv=_one("gpu_energy_j"),
    ),
    Figure(
        name="gpu_throttled",
        field="throttled",
        unit=Unit.RATIO,
        source=Source.GPU,
        meaning="share of time in which power or heat held the clocks back",
        in_json=False,
        csv=_percent("gpu_throttled_pct", 1),
    ),
    Figure(
        name="gpu_memory_growth",
        field="memory_growth_mib_per_min",
        unit=Unit.MIB_PER_MIN,
        source=Source.GPU,
        meaning="slope of the GPU memory over the hold",
        in_json=False,
        csv=_one("gpu_memory_growth_mib_per_min", 2),
    ),
    Figure(
        name="streams_per_gpu",
        field="streams_per_gpu",
        unit=Unit.COUNT,
        source=Source.RUN,
        meaning="callers for each GPU with a mean utilisation of 1 % or more",
        csv=_one("streams_per_gpu", 2),
    ),
    Figure(
        name="server_cpu",
        field="cpu_cores",
        unit=Unit.CORES,
        source=Source.SERVER,
        meaning="cores that the server's processes kept busy",
        in_json=False,
        csv=(CsvColumn("server_cpu_mean_cores", "mean", 3), CsvColumn("server_cpu_p95_cores", "p95", 3)),
    ),
    Figure(
        name="server_memory",
        field="rss_mib",
        unit=Unit.MIB,
        source=Source.SERVER,
        meaning="resident memory of the server's processes",
        in_json=False,
        csv=(CsvColumn("server_memory_peak_mib", "max", 1),),
    ),
    Figure(
        name="host_cpu",
        field="cpu_pct",
        unit=Unit.PERCENT,
        source=Source.HOST,
        meaning="share of all cores of the server's host",
        in_json=False,
        csv=(CsvColumn("host_cpu_mean_pct", "mean", 1),),
    ),
    Figure(
        name="total",
        field="total_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="first byte of the request, or first token due → last byte of the answer",
        kinds=REQUESTS,
        has_slo=True,
        csv=_csv("total", "p50", "p95", "p99", "mean"),
        table=(*_table("total", "p50", "p95"), TableColumn("total mean", "mean", 3, kinds=UPLOADS)),
    ),
    Figure(
        name="first_text",
        field="first_text_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="first byte of the request → first words, if the server streams its answer",
        kinds=UPLOADS,
        has_slo=True,
        csv=_csv("first_text", "p50", "p95"),
        table=_table("first text", "p95"),
    ),
    Figure(
        name="rtf",
        field="rtf",
        unit=Unit.FACTOR,
        source=Source.COMPLETED,
        meaning="total time / length of the audio; below 1 is faster than real time",
        kinds=REQUESTS,
        has_slo=True,
        place=Place.SPEED,
        csv=_csv("rtf", "p50", "p95", "mean", unit=""),
        table=_table("RTF", "p95"),
    ),
    Figure(
        name="rtfx",
        field="rtfx",
        unit=Unit.FACTOR,
        source=Source.STAGE,
        meaning="1 / RTF: how many times faster than real time",
        kinds=REQUESTS,
        csv=_csv("rtfx", "p50", "mean", unit=""),
    ),
    Figure(
        name="requests_per_s",
        field="requests_per_s",
        unit=Unit.PER_SECOND,
        source=Source.RUN,
        meaning="completed requests that began in the hold / length of the hold",
        kinds=REQUESTS,
        place=Place.SPEED,
        csv=_one("requests_per_s", 3),
        table=(TableColumn("req/s", None, 2),),
    ),
    Figure(
        name="first_audio",
        unstreamed=NOT_STREAMED,
        field="first_audio_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="first byte of the request, or first token due → first audio, if the answer is streamed",
        kinds=TEXTS,
        has_slo=True,
        csv=_csv("first_audio", "p50", "p95", "p99", "mean"),
        table=_table("first audio", "p50", "p95"),
    ),
    Figure(
        name="gap_max",
        unstreamed=NOTHING,
        field="gap_max_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="longest pause between two pieces of an answer",
        kinds=SYNTHESISED,
        has_slo=True,
        csv=_csv("gap_max", "p95", "max"),
        table=_table("gap max", "p95"),
    ),
    Figure(
        name="underruns",
        unstreamed=NOTHING,
        field="underruns",
        unit=Unit.COUNT,
        source=Source.SUM,
        meaning="times that playback of an answer would have run out of audio",
        kinds=SYNTHESISED,
        has_slo=True,
        csv=_one("underruns"),
        table=(TableColumn("underruns"),),
    ),
    Figure(
        name="streamed",
        field="streamed",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="answers that were streamed: the utterances with a first audio",
        kinds=TEXTS,
        csv=_one("streamed"),
    ),
    Figure(
        name="frames",
        field="frames",
        unit=Unit.COUNT,
        source=Source.SUM,
        meaning="frames sent",
        kinds=IN_FRAMES,
    ),
    Figure(
        name="frames_late",
        field="frames_late",
        unit=Unit.COUNT,
        source=Source.SUM,
        meaning="frames handed over more than 10 ms after they were due",
        kinds=IN_FRAMES,
    ),
    Figure(
        name="late_frames",
        field="late_frames",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="share of frames handed over more than 10 ms after they were due; above 1 % a stage is invalid",
        kinds=IN_FRAMES,
        csv=_percent("late_frames_pct", 3),
    ),
    Figure(
        name="wer_utterances",
        field="wer_utterances",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="completed utterances behind the WER",
        kinds=TRANSCRIBED,
        csv=_one("wer_utterances"),
    ),
    Figure(
        name="wer_ci95_low",
        field="wer_ci95_low",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="lower end of the 95 % interval of the WER: bootstrap over clips, none for fewer than 5",
        kinds=TRANSCRIBED,
        csv=_percent("wer_ci95_low_pct"),
    ),
    Figure(
        name="wer_ci95_high",
        field="wer_ci95_high",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="upper end of the same",
        kinds=TRANSCRIBED,
        csv=_percent("wer_ci95_high_pct"),
    ),
    Figure(
        name="arrival_late",
        field="arrival_late_s",
        unit=Unit.SECONDS,
        source=Source.COUNTED,  # only completed ones have it, but a failed one is not late by that
        meaning="how long before its time the completing message may have arrived; empty where the kernel stamped it",
        csv=_csv("arrival_late", "p99", "max"),
    ),
    Figure(
        name="late_text",
        field="late_text",
        unit=Unit.COUNT,
        source=Source.SUM,
        meaning="messages that carried the caller's own words of an earlier utterance",
        kinds=TRANSCRIBED,
        has_slo=True,
        csv=_one("late_text"),
    ),
    Figure(
        name="endpointing_delay",
        field="endpointing_delay_s",
        unit=Unit.SECONDS,
        source=Source.COUNTED,  # whatever became of the transcript
        meaning="end of speech → the server's end of turn; one that never came is later than any",
        kinds=STREAMS,
        has_slo=True,
        csv=_csv("endpointing_delay", "p50", "p95"),
    ),
    Figure(
        name="cut_early_rate",
        field="cut_early_rate",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="utterances in which the server ended a turn while the speech went on / those whose turns it told of",
        kinds=STREAMS,
        has_slo=True,
        csv=_percent("cut_early_rate_pct"),
    ),
    Figure(
        name="split_rate",
        field="split_rate",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="utterances that became several turns with words / those whose turns the server told of",
        kinds=STREAMS,
        has_slo=True,
        csv=_percent("split_rate_pct"),
    ),
    Figure(
        name="words_lost_at_cut",
        field="words_lost_at_cut",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="words within 0.5 s of an early end, or of its pause, that no final has; null without times of words",
        kinds=STREAMS,
        has_slo=True,
        csv=_one("words_lost_at_cut"),
    ),
    Figure(
        name="turns_left_open",
        field="turns_left_open",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="utterances whose speech was sent, and the server, which tells of turns, told no end behind it",
        kinds=STREAMS,
        has_slo=True,
        csv=_one("turns_left_open"),
    ),
    Figure(
        name="eager_end_rate",
        field="eager_end_rate",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="utterances with an end of turn that the server told before it was sure / those of servers that do so",
        kinds=STREAMS,
        has_slo=True,
        csv=_percent("eager_end_rate_pct"),
    ),
    Figure(
        name="resumed",
        field="resumed",
        unit=Unit.COUNT,
        source=Source.STAGE,
        meaning="such ends that the server took back",
        kinds=STREAMS,
        has_slo=True,
        csv=_one("resumed"),
    ),
    Figure(
        name="after_text",
        field="after_text_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="last token due → first audio; negative if the server spoke before the text had ended",
        kinds=TEXTS,
        has_slo=True,
        csv=_csv("after_text", "p50", "p95"),
        table=_table("after text", "p50", "p95"),
    ),
    Figure(
        name="words_from_nothing",
        field="words_from_nothing",
        unit=Unit.PER_MINUTE,
        source=Source.STAGE,
        meaning="words that callers who never speak (--silence-callers) were told / minutes of audio that they sent",
        kinds=STREAMS,
        has_slo=True,
        csv=_one("words_from_nothing_per_min", 3),
    ),
    Figure(
        name="silence",
        field="silence_s",
        unit=Unit.SECONDS,
        source=Source.STAGE,
        meaning="audio that callers who never speak have sent",
        kinds=STREAMS,
        csv=_one("silence_s", 1),
    ),
    Figure(
        name="erlangs",
        field="erlangs",
        unit=Unit.FACTOR,
        source=Source.RUN,
        meaning="with --arrivals: the load that was offered, calls that began per second × seconds that a call lasted",
        kinds=PACED,
        in_json=False,  # there it is in `calls`, as all that follows
        place=Place.LOAD,
        csv=_one("erlangs", 3),
        table=(TableColumn("erlangs", None, 1),),
    ),
    Figure(
        name="refused",
        field="refused_rate",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="with --arrivals: calls that the server refused because it was full / calls that began",
        of="call",
        kinds=PACED,
        has_slo=True,
        in_json=False,
        place=Place.LOAD,
        csv=_percent("refused_rate_pct"),
        table=(TableColumn("refused%", None, 1, 100),),
    ),
    Figure(
        name="erlang_b",
        field="erlang_b",
        unit=Unit.RATIO,
        source=Source.RUN,
        meaning="the same by Erlang's loss formula, for the load that was offered and the places of the server",
        kinds=PACED,
        in_json=False,
        place=Place.LOAD,
        csv=_percent("erlang_b_pct"),
        table=(TableColumn("Erlang B%", None, 1, 100),),
    ),
    Figure(
        name="on_line_mean",
        field="on_line_mean",
        unit=Unit.FACTOR,
        source=Source.RUN,
        meaning="with --arrivals: callers on the line, over the hold",
        kinds=PACED,
        in_json=False,
        csv=_one("on_line_mean", 3),
    ),
    Figure(
        name="on_line_max",
        field="on_line_max",
        unit=Unit.COUNT,
        source=Source.RUN,
        meaning="with --arrivals: the most callers on the line at once in the hold",
        kinds=PACED,
        in_json=False,
        csv=_one("on_line_max"),
    ),
    Figure(
        name="call",
        field="call_s",
        unit=Unit.SECONDS,
        source=Source.RUN,
        meaning="with --arrivals: how long a call that was taken lasted on average",
        kinds=PACED,
        in_json=False,
        csv=_one("call_mean_s", 3),
    ),
    Figure(
        name="calls_due",
        field="calls_due",
        unit=Unit.COUNT,
        source=Source.RUN,
        meaning="with --arrivals: calls that were to begin in the hold",
        kinds=PACED,
        in_json=False,
        csv=_one("calls_due"),
    ),
    Figure(
        name="calls_not_started",
        field="calls_not_started",
        unit=Unit.COUNT,
        source=Source.RUN,
        meaning="of these, calls that the load generator did not begin within 1 s; above 1 % a stage is invalid",
        kinds=PACED,
        in_json=False,
        csv=_one("calls_not_started"),
    ),
    Figure(
        name="call_late",
        field="call_late_s",
        unit=Unit.SECONDS,
        source=Source.COUNTED,
        meaning="with --arrivals: a call was due → it began",
        kinds=PACED,
        in_json=False,
        csv=_csv("call_late", "p99", "max"),
    ),
    Figure(
        name="audio_age",
        field="audio_age_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="end of a word in the audio → the word is on the screen: the median of an utterance's new words",
        kinds=STREAMS,
        has_slo=True,
        csv=_csv("audio_age", "p50", "p95"),
    ),
    Figure(
        name="audio_age_max",
        field="audio_age_max_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="the same for the word of an utterance that took longest",
        kinds=STREAMS,
        has_slo=True,
        csv=_csv("audio_age_max", "p50", "p95"),
    ),
    Figure(
        name="flicker",
        field="flicker_per_s",
        unit=Unit.PER_SECOND,
        source=Source.COMPLETED,
        meaning="words on the screen that were taken back or changed, per second of speech",
        kinds=STREAMS,
        has_slo=True,
        csv=_csv("flicker", "p50", "p95", "mean", unit="_per_s"),
    ),
    Figure(
        name="first_partial_wer",
        field="first_partial_wer",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="word error rate of the first text with words, against as many first reference words as fit it best",
        kinds=STREAMS,
        has_slo=True,
        csv=_percent("first_partial_wer_pct"),
    ),
    Figure(
        name="first_partial_age",
        field="first_partial_age_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="end of the last word in the first text → that text is on the screen",
        kinds=STREAMS,
        has_slo=True,
        csv=_csv("first_partial_age", "p50", "p95"),
    ),
    Figure(
        name="first_final_wer",
        field="first_final_wer",
        unit=Unit.RATIO,
        source=Source.STAGE,
        meaning="the same word error rate of the first text that won't change",
        kinds=STREAMS,
        has_slo=True,
        csv=_percent("first_final_wer_pct"),
    ),
    Figure(
        name="first_final_age",
        field="first_final_age_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="end of the last word in the first text that won't change → that text is there",
        kinds=STREAMS,
        has_slo=True,
        csv=_csv("first_final_age", "p50", "p95"),
    ),
    Figure(
        name="word_time_error",
        field="word_time_error_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="the server's start of a word against the true one, in whichever direction: the median of an utterance",
        kinds=STREAMS,
        has_slo=True,
        csv=_ms("word_time_error", "p50", "p95"),
    ),
    Figure(
        name="word_time_error_max",
        field="word_time_error_max_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="the same for the word of an utterance that is farthest off",
        kinds=STREAMS,
        has_slo=True,
        csv=_ms("word_time_error_max", "p50", "p95"),
    ),
    Figure(
        name="word_time_drift",
        field="word_time_drift_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="how much the server's times of words go wrong from the first word of an utterance to the last",
        kinds=STREAMS,
        has_slo=True,
        csv=_ms("word_time_drift", "p50", "p95"),
    ),
    Figure(
        name="word_time_drift_signed",
        field="word_time_drift_signed_s",
        unit=Unit.SECONDS,
        source=Source.STAGE,
        meaning="the same of the median utterance, signed: below 0, the server's clock is slow",
        kinds=STREAMS,
        csv=_one("word_time_drift_signed_s", 4),
    ),
    Figure(
        name="word_time_drift_connection",
        field="word_time_drift_connection_s_per_min",
        unit=Unit.SECONDS_PER_MIN,
        source=Source.STAGE,
        meaning="how much they go wrong with each minute of a connection that carries several utterances; signed",
        kinds=STREAMS,
        csv=_one("word_time_drift_connection_s_per_min", 5),
    ),
    Figure(
        name="voice_to_voice",
        field="voice_to_voice_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="end of the caller's speech → first audio of the answer",
        kinds=CONVERSATIONS,
        has_slo=True,
        place=Place.HEADLINE,
        csv=_csv("voice_to_voice", "p50", "p95", "p99", "mean"),
        table=_table("voice to voice", "p50", "p95"),
    ),
    Figure(
        name="barge_in_stop",
        field="barge_in_stop_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="the caller speaks over the answer → the server has told that it stopped and its last audio is there; "
        "over a telephone line: nothing of it is heard",
        kinds=CONVERSATIONS,
        has_slo=True,
        csv=_csv("barge_in_stop", "p50", "p95", "max"),
        table=_table("barge in stop", "p50", "p95"),
    ),
    Figure(
        name="answer",
        field="answer_s",
        unit=Unit.SECONDS,
        source=Source.COMPLETED,
        meaning="length of the answer's audio",
        kinds=CONVERSATIONS,
        csv=_csv("answer", "p50", "mean"),
    ),
    Figure(
        name="early_answers",
        field="early_answers",
        unit=Unit.COUNT,
        source=Source.SUM,
        meaning="answers that began before the caller had finished",
        kinds=CONVERSATIONS,
        has_slo=True,
        csv=_one("early_answers"),
        table=(TableColumn("early answers"),),
    ),
)


FIGURES_BY_NAME = {figure.name: figure for figure in FIGURES}


def with_slo() -> dict[str, Figure]:
    """The figures that an objective can be set on, by name."""
    return {figure.name: figure for figure in FIGURES if figure.has_slo}


def headline_of(kind: LoadKind) -> Figure:
    """The figure with the one time that a kind of load is about."""
    return next(figure for figure in FIGURES if figure.field == kind.headline)


def figures_of(*sources: Source) -> Iterator[Figure]:
    """The figures that come from one of these sources."""
    return (figure for figure in FIGURES if figure.source in sources)


def in_json() -> Iterator[Figure]:
    """The figures that each stage has in `summary.json`."""
    return (figure for figure in FIGURES if figure.in_json)


def in_csv() -> Iterator[tuple[Figure, CsvColumn]]:
    """The columns of `stages.csv` that are figures."""
    return ((figure, column) for figure in FIGURES for column in figure.csv)


def in_table(kind: LoadKind) -> list[tuple[Figure, TableColumn]]:
    """The columns of the main table for this kind of load, from left to right, between callers and verdict."""
    shown = [
        (figure, column)
        for figure in FIGURES
        if kind in figure.kinds
        for column in figure.table
        if kind in column.kinds
    ]
    return sorted(shown, key=lambda pair: pair[0].place)


def figures_markdown() -> str:
    """The table of all figures, for the documents."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in _markdown_rows())


def _markdown_rows() -> Iterator[tuple[str, ...]]:
    yield ("figure", "unit", "meaning", "load", "SLO", "`stages.csv`", "`summary.json`", "table")
    yield ("---",) * 8
    for figure in FIGURES:
        yield (
            f"`{figure.name}`",
            figure.unit,
            figure.meaning,
            "all"
            if figure.kinds == ALL_KINDS
            else ", ".join(kind.name for kind in KINDS.values() if kind in figure.kinds),
            f"`{slo_example(figure)}`" if figure.has_slo else "",
            _code(column.name for column in figure.csv),
            f"`{figure.field}`" if figure.in_json else "",
            _code(column.heading for column in figure.table),
        )


_BOUND_EXAMPLES = {
    Unit.SECONDS: "<800ms",
    Unit.RATIO: "<1%",
    Unit.FACTOR: "<0.5",
    Unit.COUNT: "<1",
    Unit.PER_MINUTE: "<1",
    Unit.PER_SECOND: "<0.5",
}


def slo_example(figure: Figure) -> str:
    """An objective on the figure, as a user would write it."""
    return f"{figure.name}{':p95' if figure.is_distribution else ''}{_BOUND_EXAMPLES[figure.unit]}"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
