"""`stt-load calibrate`: how many callers this machine plays honestly, and how far off its clock is."""

from __future__ import annotations

import signal
from typing import Any, NoReturn

import click

from stt_load.calibration.climb import QUICK, THOROUGH, CalibrationRequest, calibrate
from stt_load.calibration.figures import Trial
from stt_load.calibration.host_probe import look_at_machine
from stt_load.calibration.result import summary_lines
from stt_load.calibration.store import keep
from stt_load.config import RunConfig, listener_at, parse_options
from stt_load.errors import ConfigError
from stt_load.option_values import parse_web_socket_url, whole_number_from
from stt_load.run.preflight import unreachable

_NO_SINK_YET = "ws://127.0.0.1:1/"


@click.command()
@click.option("--url", metavar="URL", help="Another sink, which speaks vosk; then the clock's error stays unknown.")
@click.option(
    "--max", "most", metavar="N", help="No more callers than this; default: what descriptors and ports allow."
)
@click.option("--frame-ms", metavar="MS", help="Audio per message. [default: 100]")
@click.option("--hold", metavar="TIME", help="How long each trial is held. [default: 8s, with --quick 3s]")
@click.option("--quick", is_flag=True, help="Shorter clips and holds, and to 25 % instead of 10 %.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def command(
    url: str | None, most: str | None, frame_ms: str | None, hold: str | None, quick: bool, as_json: bool
) -> None:
    """How many callers can this machine play honestly, and how far off is its clock?

    Starts a sink of its own in another process and climbs: each trial is a real `stt-load run` in one process, with
    twice the callers of the one before, until more than 1 % of the frames are sent more than 10 ms late; then it
    looks between. At half of what held, reported latencies are held against the sink's own log. Takes
    minutes, fewer with --quick. Nothing else should run on the machine meanwhile.

    The result is kept for this machine (STT_LOAD_DATA names another folder): a run that asks for more is warned.
    """
    asked = _asked(url, most, frame_ms, hold, quick)
    signal.signal(signal.SIGTERM, _stop)  # so that whatever was started is ended
    machine = look_at_machine()
    ceiling = asked.ceilings(machine)[0]
    _tell(f"no more than {ceiling.callers:,} callers will be tried: {ceiling.limit.detail}")
    _tell(f"{'callers':>9} {'late':>8} {'worst':>9} {'CPU':>6} {'sink':>6} {'memory':>8}")
    found = calibrate(asked, machine, _tell_trial)
    place = keep(found)
    if as_json:
        click.echo(found.to_json())
        return
    click.echo()
    for label, text in [*summary_lines(found), ("kept in", str(place))]:
        click.echo(f"{label:<13} {text}")


def _asked(
    url: str | None, most: str | None, frame_ms: str | None, hold: str | None, quick: bool
) -> CalibrationRequest:
    """Raises ConfigError with everything that is wrong, before anything is started."""
    problems: list[str] = []
    config: RunConfig | None = None
    n: int | None = None
    try:
        url = parse_web_socket_url(url) if url is not None else None
        nobody = url and unreachable("--url", url)
        problems += [nobody] if nobody else []
    except ValueError as error:
        problems.append(f"--url: {error}")
    try:
        n = whole_number_from(1)(most) if most is not None else None
    except ValueError as error:
        problems.append(f"--max: {error}")
    options: dict[str, Any] = {"stt_url": _NO_SINK_YET, "dialect": "vosk", "end": "client"}
    try:
        config = parse_options({**options, "frame_ms": frame_ms, "hold": hold})
    except ConfigError as error:
        problems += error.problems
    if problems or config is None:
        raise ConfigError(problems)
    manner = (QUICK if quick else THOROUGH).held_for(config.hold_s if hold else None)
    return CalibrationRequest(url, url is None or listener_at(url) is not None, n, config.frame_ms, manner)


def _tell(line: str) -> None:
    """Progress goes to stderr: stdout is the result's."""
    click.echo(line, err=True)


def _tell_trial(trial: Trial) -> None:
    sink = "-" if trial.sink_cpu_pct is None else f"{trial.sink_cpu_pct:.0f} %"
    _tell(
        f"{trial.callers:>9,} {trial.late:>8.2%} {1_000 * (trial.lag_max_s or 0.0):>6.1f} ms "
        f"{trial.generator.cpu_pct:>4.0f} % {sink:>6} {trial.generator.memory_bytes / 2**20:>4.0f} MiB  "
        f"{trial.broken_by or 'held'}"
    )


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt
