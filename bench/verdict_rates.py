"""How often is a stage judged wrongly? Made-up servers whose truth is known, judged before and now.

    python bench/verdict_rates.py [--stages 2000] [--ladders 300] [--seed 1]

Before: a percentile from 59 utterances on, error rates and `wer_delta` at any n, were judged by the figure alone, as if
it were the truth. Now: by one-sided limits at 95 % (`stt_load/metrics/estimates.py`), with the code that judges a run.
Prints the Markdown tables of docs/performance.md: how many of a hundred stages end as pass, pass*, fail and invalid.
No server, no clock, no load: about two minutes of one core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import click
import numpy as np

from stt_load.audio.texts import english_set
from stt_load.metrics.clip_errors import ErrorCount, wer_delta
from stt_load.metrics.estimates import Share, of_distribution
from stt_load.metrics.quantiles import Distribution, rank, smallest_n
from stt_load.metrics.slo import Slo, SloResult, SloVerdict, judge, parse_slo

VERDICTS = ("pass", "pass*", "fail", "invalid")
SIZES = (20, 59, 200, 600)
EARLY_S, LATE_S = 0.5, 1.5
WORD_ERRORS = 0.08  # of the quiet server

LENGTHS = {clip_id: len(text.split()) for clip_id, text in english_set().items()}
CLIPS = list(LENGTHS)
LADDERS = {
    "`stt-load demo`, 12 s holds": (6, 10, 22, 43, 72, 89),
    "60 s holds": (10, 49, 98, 196, 290, 380),
    "60 s holds, `--at-least 200`": (200, 200, 200, 200, 290, 380),
}

Tally = Counter[str]


def now(result: SloResult) -> str:
    """The verdict of a stage with this one objective."""
    if result.verdict is SloVerdict.UNDECIDED:
        return "pass*" if result.is_unproven else "invalid"
    return "pass" if result.verdict is SloVerdict.MET else "fail"


def before(slo: Slo, value: float) -> str:
    """What a figure that was taken for the truth was judged."""
    return "pass" if slo.is_met_by(value) else "fail"


def percentile_before(slo: Slo, values: Distribution, p: float) -> str:
    """What a percentile was judged: below its supporting n, marked or missed by its 95 % interval."""
    observed = values.values[rank(values.n, p) - 1]
    if values.n >= smallest_n(p):
        return before(slo, observed)
    if slo.is_met_by(observed):
        return "pass*"
    low, _ = values.ci95(p)
    return "fail" if low is not None and not slo.is_met_by(low) else "invalid"


def late_stages(rng: np.random.Generator, share: float, n: int, stages: int) -> tuple[Tally, Tally]:
    """`eos_latency:p95<1s` on a server that is late in this share of its answers."""
    slo = parse_slo("eos_latency:p95<1s")
    old, new = Tally(), Tally()
    for late, times in Counter(rng.binomial(n, share, stages).tolist()).items():
        values = Distribution.of([EARLY_S] * (n - late) + [LATE_S] * late)
        old[percentile_before(slo, values, 0.95)] += times
        new[now(judge(slo, of_distribution(values, "p95")))] += times
    return old, new


def failing_stages(rng: np.random.Generator, rate: float, n: int, stages: int) -> tuple[Tally, Tally]:
    """`error_rate<1%` on a server that fails in this share of its answers."""
    slo = parse_slo("error_rate<1%")
    old, new = Tally(), Tally()
    for errors, times in Counter(rng.binomial(n, rate, stages).tolist()).items():
        old[before(slo, errors / n)] += times
        new[now(judge(slo, Share(errors, n)))] += times
    return old, new


def heard(rng: np.random.Generator, n: int, word_errors: float) -> dict[str, ErrorCount]:
    """A stage of n utterances over the clips in turn, with word errors that don't depend on each other."""
    errors: dict[str, ErrorCount] = {}
    for index in range(n):
        clip_id = CLIPS[index % len(CLIPS)]
        wrong = int(rng.binomial(LENGTHS[clip_id], word_errors))
        errors[clip_id] = errors.get(clip_id, ErrorCount()) + ErrorCount(wrong, LENGTHS[clip_id], 1)
    return errors


def worse_stages(rng: np.random.Generator, delta: float, n: int, stages: int) -> tuple[Tally, Tally]:
    """`wer_delta<5%` on a server whose WER is higher by `delta` under load, with n utterances in both stages."""
    slo = parse_slo("wer_delta<5%")
    old, new = Tally(), Tally()
    for _ in range(stages):
        estimate = wer_delta(heard(rng, n, WORD_ERRORS + delta), heard(rng, n, WORD_ERRORS))
        old[before(slo, estimate.value)] += 1
        new[now(judge(slo, estimate))] += 1
    return old, new


def ladder_verdict(verdicts: Iterable[str]) -> str:
    """The first stage that does not pass decides."""
    passes = list(verdicts)
    broken = [verdict for verdict in passes if not verdict.startswith("pass")]
    return broken[0] if broken else max(passes)  # "pass*" sorts behind "pass"


def ladders(rng: np.random.Generator, sizes: Sequence[int], runs: int) -> tuple[Tally, Tally]:
    """`wer_delta<5%` on whole ladders against a server whose errors don't depend on load."""
    slo = parse_slo("wer_delta<5%")
    old, new = Tally(), Tally()
    for _ in range(runs):
        first = heard(rng, sizes[0], WORD_ERRORS)
        estimates = [wer_delta(heard(rng, n, WORD_ERRORS), first) for n in sizes[1:]]
        old[ladder_verdict(before(slo, estimate.value) for estimate in estimates)] += 1
        new[ladder_verdict(now(judge(slo, estimate)) for estimate in estimates)] += 1
    return old, new


def row(*cells: str, old: Tally, new: Tally) -> str:
    shown = [f"{100 * tally[verdict] / tally.total():.0f}" for tally in (old, new) for verdict in VERDICTS]
    return f"| {' | '.join((*cells, *shown))} |"


def table(*headings: str, rows: Iterable[str]) -> str:
    names = [f"{when}: {verdict}" for when in ("before", "now") for verdict in VERDICTS]
    names = [name.replace("pass*", "`pass*`") for name in names]
    return "\n".join([f"| {' | '.join((*headings, *names))} |", "|---" * (len(headings) + len(names)) + "|", *rows])


@click.command()
@click.option("--stages", default=2_000, help="Made-up stages for each line; a tenth of it for wer_delta.")
@click.option("--ladders", "runs", default=300, help="Made-up ladders for each line of the last table.")
@click.option("--seed", default=1)
def main(stages: int, runs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = (
        ("`eos_latency:p95<1s`, truly late", (0.03, 0.05, 0.07), late_stages, stages),
        ("`error_rate<1%`, truly failed", (0.005, 0.01, 0.02), failing_stages, stages),
        ("`wer_delta<5%`, truly worse by", (0.0, 0.05, 0.10), worse_stages, max(1, stages // 10)),
    )
    for heading, truths, judged, times in cases:
        lines = []
        for truth in truths:
            for n in SIZES:
                old, new = judged(rng, truth, n, times)
                lines.append(row(f"{100 * truth:g} %", str(n), old=old, new=new))
        click.echo(table(heading, "n", rows=lines) + "\n")
    lines = []
    for name, sizes in LADDERS.items():
        old, new = ladders(rng, sizes, runs)
        lines.append(row(name, ", ".join(map(str, sizes)), old=old, new=new))
    click.echo(table("ladder", "utterances of its stages", rows=lines))


if __name__ == "__main__":
    main()
