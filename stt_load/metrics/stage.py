"""The figures of one stage: add records as they come, close once for the derived numbers.

Only counted utterances (started in the hold) make figures; any other record changes nothing. Raw values are kept, and
nothing is averaged before the end. `figures.py` declares every figure; the code here computes those that take more than
gathering a field of the record.

`docs/design.md`, "What the numbers mean", is the authority for every name here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from stt_load.errors import Outcome
from stt_load.kinds import KINDS
from stt_load.metrics.bootstrap import RISK
from stt_load.metrics.clip_errors import ClipErrors, ErrorCount, error_limits, error_rate, wer_delta
from stt_load.metrics.estimates import Estimate, Exact, Share, of_distribution
from stt_load.metrics.failures import Failure, FailureGroups, has_failed
from stt_load.metrics.figures import DISTRIBUTED, Figure, Source, Unit, figures_of
from stt_load.metrics.kept_values import KeptValues, LongSum
from stt_load.metrics.lag_counts import LagCounts
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.screen_counts import ScreenCounts
from stt_load.metrics.silence_counts import SilenceCounts
from stt_load.metrics.turn_counts import TurnCounts
from stt_load.metrics.wer import score
from stt_load.records import UtteranceRecord


@dataclass(frozen=True, slots=True)
class StageFigures:
    """One stage in numbers: seconds, ratios (0 to 1) and counts. None: not measured or does not exist."""

    stage: int
    users: int
    n: int  # counted utterances, the interrupted included
    outcomes: Mapping[str, int]  # outcome -> utterances; only outcomes that happened
    distributions: Mapping[str, Distribution]  # by name of the figure
    sums: Mapping[str, float]  # by name of the figure; counts are whole numbers
    estimates: Mapping[str, Estimate]  # by name of the figure: rates of the whole stage
    wer_ci95: tuple[float | None, float | None]  # both ends of the 95 % interval
    clip_errors: Mapping[str, ErrorCount]  # clip_id -> word errors of completed utterances
    pacing_lag_p99_s: float | None  # over all frames, as the upper edge of its bucket of 1 ms
    pacing_lag_max_s: float | None
    completed_audio_s: float  # audio of completed utterances
    clips: int  # different clips of which audio was sent, or received from a TTS server
    clips_reused: int  # utterances whose clip another caller was speaking at the same time
    kernel_stamped: int  # utterances whose arrival times are the kernel's
    server_ms: Mapping[str, Distribution]  # what the server says of itself; milliseconds
    other_dialect: int  # utterances whose server seems to speak another dialect
    other_dialects: Mapping[str, int]  # its name, where it is known -> utterances that say so
    failures: tuple[Failure, ...]  # why utterances failed, most frequent first
    own_faults: int  # utterances that the load generator itself failed to play; among the interrupted ones
    first_own_fault: str | None  # what was told of the first
    frames_held_up: int  # of the late frames, those that the kernel did not take sooner
    frames_missed: int  # frames that were late when their utterances ended without them
    turns: TurnCounts = field(default_factory=TurnCounts)
    silence: SilenceCounts = field(default_factory=SilenceCounts)
    screens: ScreenCounts = field(default_factory=ScreenCounts)

    @property
    def ok(self) -> int:
        return self.outcomes.get(Outcome.OK, 0)

    @property
    def interrupted(self) -> int:
        return self.outcomes.get(Outcome.INTERRUPTED, 0)

    @property
    def errors(self) -> int:
        return self.n - self.ok - self.interrupted

    @property
    def error_rate(self) -> float | None:
        """Neither ok nor interrupted, over all that were not interrupted."""
        return self._value("error_rate")

    @property
    def wer(self) -> float | None:
        """Word errors over reference words of completed utterances."""
        return self._value("wer")

    @property
    def wer_all(self) -> float | None:
        """The same with utterances without a transcript, which count as all deleted."""
        return self._value("wer_all")

    @property
    def cer(self) -> float | None:
        return self._value("cer")

    @property
    def word_time_drift_signed_s(self) -> float | None:
        """How much the server's times of words go wrong over the median utterance; below 0 if they fall behind."""
        return self.screens.drift_s

    @property
    def word_time_drift_connection_s_per_min(self) -> float | None:
        """How much the server's times of words go wrong with each minute of a connection."""
        return self.screens.drift_s_per_min

    @property
    def first_partial_wer(self) -> float | None:
        """Word errors of the first texts over the first reference words that fit them best."""
        return self._value("first_partial_wer")

    @property
    def first_final_wer(self) -> float | None:
        """The same of the first texts that don't change any more."""
        return self._value("first_final_wer")

    @property
    def wer_delta(self) -> float | None:
        """WER here minus WER on the first stage, over clips that both completed."""
        return self._value("wer_delta")

    @property
    def refused_rate(self) -> float | None:
        """Calls that the server refused because it was full, over those that began. Only with --arrivals."""
        return self._value("refused")

    @property
    def wer_ci95_low(self) -> float | None:
        return self.wer_ci95[0]

    @property
    def wer_ci95_high(self) -> float | None:
        return self.wer_ci95[1]

    @property
    def wer_utterances(self) -> int:
        """Completed utterances that were scored."""
        return sum(count.utterances for count in self.clip_errors.values())

    @property
    def utterance_s_mean(self) -> float | None:
        """The audio of the mean completed utterance: a refused caller sends none, or breaks off after a frame."""
        return self.completed_audio_s / self.ok if self.ok else None

    @property
    def late_frames(self) -> float | None:
        """The share of frames that were handed over late; None without frames."""
        return self.sums["frames_late"] / self.sums["frames"] if self.sums["frames"] else None

    @property
    def cut_early_rate(self) -> float | None:
        """Utterances in which a turn was ended while the speech went on, over those whose server tells of its turns."""
        return self._value("cut_early_rate")

    @property
    def split_rate(self) -> float | None:
        return self._value("split_rate")

    @property
    def eager_end_rate(self) -> float | None:
        return self._value("eager_end_rate")

    @property
    def words_lost_at_cut(self) -> int | None:
        return self.turns.words_lost if self.turns.placed else None

    @property
    def turns_left_open(self) -> int | None:
        return self.turns.left_open if self.turns.judged or self.turns.left_open else None

    @property
    def resumed(self) -> int | None:
        return self.turns.resumed if self.turns.eager_told else None

    @property
    def words_from_nothing(self) -> float | None:
        """Words a minute that callers who never speak were told."""
        return self._value("words_from_nothing")

    @property
    def silence_s(self) -> float | None:
        """The audio that they sent; None where every caller speaks."""
        return 60 * self.silence.minutes if self.silence.n else None

    @property
    def streamed(self) -> int:
        """Answers that could be listened to as they came: those that came in one piece could not."""
        return self.distributions["gap_max"].n

    @property
    def rtfx(self) -> Distribution:
        """How many times faster than real time each request was."""
        return Distribution.of(1 / rtf for rtf in self.distributions["rtf"].values if rtf)

    def measured(self, figure: Figure) -> Distribution | float | None:
        """The value of a figure whose source is the records or the stage."""
        if figure.is_distribution:
            return self.distributions[figure.name]
        if figure.source is Source.SUM:
            return self.sums[figure.name]
        value: Distribution | float | None = getattr(self, figure.field)
        return value

    def without_value(self, figure: Figure) -> int:
        """Failed utterances that have no value of a figure which completed ones have, and turns that were never ended:
        each is later than any bound.

        No failed one counts where no completed utterance has one either: the figure does not exist with this server.
        """
        if figure.name == "endpointing_delay":
            return self.turns.left_open
        exists = bool(self.distributions[figure.name].n) or self.ok == self.silence.ok
        return self.errors - self.silence.failed if figure.source is Source.COMPLETED and exists else 0

    def with_failed(self, figure: Figure) -> Distribution:
        """The values of a figure, and an infinite one for each failed utterance that has none: what its percentiles
        are taken from wherever they are shown or judged."""
        return self.distributions[figure.name].with_infinite(self.without_value(figure))

    def estimate(self, figure: Figure, statistic: str | None = None) -> Estimate | None:
        """The figure with its limits; None where nothing was measured. `statistic`: which one of a distribution."""
        if figure.is_distribution:
            return of_distribution(self.distributions[figure.name], statistic or "", self.without_value(figure))
        if figure.name in self.estimates:
            return self.estimates[figure.name]
        value = self.measured(figure)
        return None if value is None or isinstance(value, Distribution) else Exact(value)

    def _value(self, name: str) -> float | None:
        estimate = self.estimates.get(name)
        return None if estimate is None else estimate.value


def _gathered() -> dict[str, KeptValues]:
    """No value yet of each figure whose values are kept."""
    return {figure.name: KeptValues() for figure in figures_of(*DISTRIBUTED)}


def _summed() -> dict[str, LongSum]:
    return {figure.name: LongSum() for figure in figures_of(Source.SUM) if not _is_count(figure)}


def _counted() -> dict[str, int]:
    return {figure.name: 0 for figure in figures_of(Source.SUM) if _is_count(figure)}


def _is_count(figure: Figure) -> bool:
    """The figure is a sum of whole numbers, added up at once."""
    return figure.source is Source.SUM and figure.unit is Unit.COUNT


@dataclass(slots=True)
class StageStats:
    """The figures of one stage in the making: values or a count for each figure, no record is kept."""

    stage: int
    users: int
    outcomes: Counter[str] = field(default_factory=Counter)
    values: dict[str, KeptValues] = field(default_factory=_gathered)  # by name of the figure
    totals: dict[str, LongSum] = field(default_factory=_summed)  # by name of the figure
    counts: dict[str, int] = field(default_factory=_counted)  # by name of the figure
    words: ClipErrors = field(default_factory=ClipErrors)
    characters: ClipErrors = field(default_factory=ClipErrors)
    words_missing: ClipErrors = field(default_factory=ClipErrors)  # utterances without a transcript
    lags: LagCounts = field(default_factory=LagCounts)
    completed_audio_s: LongSum = field(default_factory=LongSum)
    clip_ids: set[str] = field(default_factory=set)
    clips_reused: int = 0
    kernel_stamped: int = 0
    server_ms: dict[str, KeptValues] = field(default_factory=dict)
    other_dialect: int = 0
    other_dialects: Counter[str] = field(default_factory=Counter)
    failures: FailureGroups = field(default_factory=FailureGroups)
    own_faults: int = 0
    first_own_fault: str | None = None
    turns: TurnCounts = field(default_factory=TurnCounts)
    silence: SilenceCounts = field(default_factory=SilenceCounts)
    screens: ScreenCounts = field(default_factory=ScreenCounts)

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds utterances of one kind of load, some thousand at once. Only those that started in the hold count."""
        counted = [record for record in records if record.is_counted]
        if not counted:
            return
        kind = KINDS[counted[0].kind]
        completed = [record for record in counted if record.is_ok]
        failed = [] if len(completed) == len(counted) else [record for record in counted if has_failed(record)]
        self.outcomes.update(map(attrgetter("outcome"), counted))
        self.failures.add(failed)
        self.completed_audio_s.extend(map(attrgetter("audio_s"), completed))
        if silent := [record for record in counted if record.is_silent]:
            self.silence.add(silent)
            completed, failed = ([record for record in ended if not record.is_silent] for ended in (completed, failed))
        self._add_figures(completed, [f for f in figures_of(Source.COMPLETED) if kind in f.kinds])
        self._add_figures(counted, [f for f in figures_of(Source.COUNTED, Source.SUM) if kind in f.kinds])
        sent = [record for record in counted if record.audio_s]
        self.clip_ids.update(map(attrgetter("clip_id"), sent))
        self.clips_reused += sum(map(attrgetter("clip_reused"), sent))
        self.kernel_stamped += list(map(attrgetter("stamp"), counted)).count("kernel")
        self._add_oddities(counted)
        self._add_server_ms(counted)
        if kind.is_transcribed:
            self._add_errors(completed, failed)
            self.turns.add(counted)
            self.screens.add(completed)
        self.lags.add(counted)

    def _add_figures(self, records: Sequence[UtteranceRecord], figures: Sequence[Figure]) -> None:
        """Adds the values of some figures; all those of one record are read at once."""
        if not records:
            return
        fields = attrgetter("outcome", *(figure.field for figure in figures))  # of one name it gives no tuple
        _, *columns = zip(*map(fields, records), strict=True)
        for figure, column in zip(figures, columns, strict=True):
            values = [value for value in column if value is not None]
            if _is_count(figure):
                self.counts[figure.name] += sum(values)
            elif figure.source is Source.SUM:
                self.totals[figure.name].extend(values)
            else:
                self.values[figure.name].extend(values)

    def _add_oddities(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds what hardly any utterance has: a fault of our own, a sign of another dialect."""
        for record in records:
            if record.understood is False or record.other_dialects:
                self.other_dialect += record.seems_other_dialect
                self.other_dialects.update(record.other_dialects)
            if record.is_own_fault:
                self.own_faults += 1
                self.first_own_fault = self.first_own_fault or record.error

    def _add_server_ms(self, records: Sequence[UtteranceRecord]) -> None:
        for reported in filter(None, map(attrgetter("server_ms"), records)):
            for name, value in reported.items():
                if name not in self.server_ms:
                    self.server_ms[name] = KeptValues()
                self.server_ms[name].extend((value,))

    def close(self, first: StageFigures | None = None) -> StageFigures:
        """The figures. `first`: the first stage of the run; None if this is it."""
        n = self.outcomes.total()
        judged = n - self.outcomes[Outcome.INTERRUPTED]
        errors = judged - self.outcomes[Outcome.OK]
        words, characters, missing = self.words.close(), self.characters.close(), self.words_missing.close()
        every_word = {
            clip_id: words.get(clip_id, ErrorCount()) + missing.get(clip_id, ErrorCount())
            for clip_id in {**words, **missing}
        }
        estimates = {
            "error_rate": Share(errors, judged) if judged else None,
            "wer": error_rate(words),
            "wer_all": error_rate(every_word),
            "cer": error_rate(characters),
            **self.screens.estimates(),
            "wer_delta": wer_delta(words, words if first is None else first.clip_errors),
            **self.turns.estimates(),
            "words_from_nothing": self.silence.estimate(),
        }
        return StageFigures(
            stage=self.stage,
            users=self.users,
            n=n,
            outcomes={outcome: count for outcome, count in sorted(self.outcomes.items()) if count},
            distributions={f.name: Distribution(self.values[f.name].close()) for f in figures_of(*DISTRIBUTED)},
            sums={f.name: self._sum(f) for f in figures_of(Source.SUM)},
            estimates={name: estimate for name, estimate in estimates.items() if estimate is not None},
            wer_ci95=error_limits(words, RISK / 2),
            clip_errors=words,
            pacing_lag_p99_s=self.lags.p99_s,
            pacing_lag_max_s=self.lags.max_s,
            completed_audio_s=self.completed_audio_s.total,
            clips=len(self.clip_ids),
            clips_reused=self.clips_reused,
            kernel_stamped=self.kernel_stamped,
            server_ms={name: Distribution(values.close()) for name, values in sorted(self.server_ms.items())},
            other_dialect=self.other_dialect,
            other_dialects=dict(self.other_dialects),
            failures=self.failures.listed(),
            own_faults=self.own_faults,
            first_own_fault=self.first_own_fault,
            frames_held_up=self.lags.held_up,
            frames_missed=self.lags.missed,
            turns=replace(self.turns),
            silence=replace(self.silence, words=dict(self.silence.words)),
            screens=self.screens.copy(),
        )

    def _sum(self, figure: Figure) -> float:
        return self.counts[figure.name] if _is_count(figure) else self.totals[figure.name].total

    def _add_errors(self, completed: Iterable[UtteranceRecord], failed: Iterable[UtteranceRecord]) -> None:
        for record in completed:
            self.words.add(record.clip_id, record.word_errors, record.reference_words or 0)
            self.characters.add(record.clip_id, record.character_errors or 0, record.reference_characters or 0)
        for record in failed:
            known = record.reference_words
            length = score(record.reference, "").reference_words if known is None else known
            self.words_missing.add(record.clip_id, length, length)
