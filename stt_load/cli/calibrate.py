"""`stt-load calibrate`: measures how many callers this machine keeps on time, and how exact its clock is."""

from __future__ import annotations

from typing import Any

import click

from stt_load.calibration.host_probe import probe_machine
from stt_load.calibration.procedure import QUICK, THOROUGH, CalibrationRequest, calibrate
from stt_load.calibration.result import summary_lines
from stt_load.calibration.store import save
from stt_load.calibration.trial_figures import TrialFigures
from stt_load.config import RunConfig, parse_options
from stt_load.errors import ConfigError, WriteError
from stt_load.option_values import listener_at, parse_web_socket_url, whole_number_from
from stt_load.run.preflight import unreachable

_NO_SINK_YET = "ws://127.0.0.1:1/"


@click.command()
@click.option(
    "--url",
    metavar="URL",
    help="Use the sink at this URL (vosk protocol). The error of the clock is not measured then.",
)
@click.option(
    "--max", "most", metavar="N", help="Try at most this many callers. [default: what file descriptors and ports allow]"
)
@click.option("--frame-ms", metavar="MS", help="Milliseconds of audio per message. [default: 100]")
@click.option("--hold", metavar="TIME", help="How long each trial runs at full load. [default: 8s, with --quick 3s]")
@click.option(
    "--quick", is_flag=True, help="Use shorter clips and trials, and find the limit to within 25 % instead of 10 %."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    url: str | None, most: str | None, frame_ms: str | None, hold: str | None, quick: bool, as_json: bool
) -> None:
    """Measure how many callers this machine keeps on time, and how exact its clock is.

    It starts a sink (a server that accepts audio and does no recognition) and runs trials against it. Each trial is a
    real `stt-load run` in one process with twice as many callers as the last, until more than 1 % of the frames go out
    more than 10 ms late. Then it tries numbers in between. On three cores or more it tries as many processes at once as
    --processes auto starts. At half of the number that it found for one, it compares the reported latencies with the
    sink's own log.

    This takes some minutes, less with --quick. Run nothing else on the machine meanwhile.

    The result is saved for this machine, in the folder that STT_LOAD_DATA names if it is set. A later run that asks
    for more callers warns you.
    """
    request = _parse_request(url, most, frame_ms, hold, quick)
    machine = probe_machine()
    ceiling = request.ceilings(machine)[0]
    _print_progress(f"trying up to {ceiling.callers:,} callers: {ceiling.limit.detail}")
    _print_progress(f"{'callers':>9} {'late':>8} {'worst':>9} {'CPU':>6} {'sink':>6} {'memory':>8}")
    calibration = calibrate(request, machine, _print_trial)
    failure: ConfigError | None = None
    try:
        saved = str(save(calibration))
    except ConfigError as error:  # minutes of measuring: its result is printed all the same
        failure, saved = error, "(nowhere)"
    if as_json:
        click.echo(calibration.to_json())
    else:
        click.echo()
        for label, text in [*summary_lines(calibration), ("saved in", saved)]:
            click.echo(f"{label:<13} {text}")
    if failure is not None:
        raise WriteError(failure.problems)


def _parse_request(
    url: str | None, most: str | None, frame_ms: str | None, hold: str | None, quick: bool
) -> CalibrationRequest:
    """The checked options. Raises ConfigError with every problem, before anything is started."""
    problems: list[str] = []
    config: RunConfig | None = None
    most_callers: int | None = None
    try:
        url = parse_web_socket_url(url) if url is not None else None
        problem = unreachable("--url", url) if url is not None else None
        problems += [problem] if problem else []
    except ValueError as error:
        problems.append(f"--url: {error}")
    try:
        most_callers = whole_number_from(1)(most) if most is not None else None
    except ValueError as error:
        problems.append(f"--max: {error}")
    options: dict[str, Any] = {"stt_url": _NO_SINK_YET, "dialect": "vosk", "end": "client"}
    try:
        config = parse_options({**options, "frame_ms": frame_ms, "hold": hold})
    except ConfigError as error:
        problems += error.problems
    if problems or config is None:
        raise ConfigError(problems)
    thoroughness = (QUICK if quick else THOROUGH).held_for(config.hold_s if hold else None)
    return CalibrationRequest(
        url, url is None or listener_at(url) is not None, most_callers, config.frame_ms, thoroughness
    )


def _print_progress(line: str) -> None:
    """Prints to stderr: stdout is for the result alone."""
    click.echo(line, err=True)


def _print_trial(trial: TrialFigures) -> None:
    sink = "-" if trial.sink_cpu_pct is None else f"{trial.sink_cpu_pct:.0f} %"
    together = f" ({trial.processes} processes at once)" if trial.processes > 1 else ""
    _print_progress(
        f"{trial.callers:>9,} {trial.late_ratio:>8.2%} {1_000 * (trial.lag_max_s or 0.0):>6.1f} ms "
        f"{trial.generator.cpu_pct:>4.0f} % {sink:>6} {trial.generator.memory_bytes / 2**20:>4.0f} MiB  "
        f"{trial.broken_by or 'held'}{together}"
    )
