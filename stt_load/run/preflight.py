"""Checks before any load: everything that would make the run pointless, all of it at once."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

from stt_load.audio.noises import NOISES
from stt_load.calibration.host_probe import describe_host, probe_machine
from stt_load.calibration.limits import shortages
from stt_load.calibration.result import overload_warning
from stt_load.calibration.store import load as load_calibration
from stt_load.clips.memory_needed import find_shortage
from stt_load.config import RunConfig
from stt_load.credentials import read_credentials
from stt_load.errors import ConfigError
from stt_load.net.own_faults import own_cause
from stt_load.option_values import DEFAULT_PORTS, is_near
from stt_load.telemetry.collector import check_otlp

if TYPE_CHECKING:
    from stt_load.audio.clip import Clip

_REACH_TIMEOUT_S = 3.0
_LOWEST_RATE_HZ = 8_000
_ROW_BYTES = 3_000  # of an utterance of seven seconds whose server shows interim texts and times of words


def find_problems(config: RunConfig, has_server: bool = True, results_option: str = "results") -> list[str]:
    """One line for each thing that is wrong; none where the run can start. `has_server` False: it is started later.
    `results_option`: the one by which this command takes the folder of its runs."""
    lines = [
        unwritable(config.results, results_option),
        _unusable_output(config.output),
        *_unusable_credentials(config),
    ]
    if has_server:
        lines.insert(0, unreachable("--stt-url", config.stt_url, config.connect_timeout_s))
    if config.tts_url:
        lines.append(unreachable("--tts-url", config.tts_url))
    if config.server_metrics:
        lines.append(unreachable("--server-metrics", config.server_metrics))
    lines += [*find_clip_problems(config), *_unusable_outlets(config)]
    return [line for line in lines if line]


def find_clip_problems(config: RunConfig) -> list[str]:
    """One line for each thing that is wrong with what the clips are made of, as far as it is known without reading
    them."""
    lines = [_shortage_of_memory(config)]
    if config.clips and not Path(config.clips).exists():
        lines.append(f"--clips: folder {config.clips} does not exist: name one, or make it with `stt-load clips make`")
    if config.noise and config.noise not in NOISES and not Path(config.noise).is_file():
        lines.append(f"--noise: {config.noise} is no file: name one, or {', '.join(NOISES)}; --snr clean is without")
    return [line for line in lines if line]


def overload(config: RunConfig, callers: int, processes: int) -> str | None:
    """One line where so many load processes can't be believed to play that many callers: by what `stt-load calibrate`
    found on this machine. None where they can, and where callers don't speak at a pace."""
    if not config.kind.is_paced:
        return None
    return overload_warning(load_calibration(describe_host()), callers, config.frame_ms, processes)


def shortages_of_limits(config: RunConfig, clips: Sequence[Clip], callers: int, processes: int) -> list[str]:
    """One line for each limit of this machine that so many callers would run into: ports, file descriptors."""
    utterance_s = None
    if config.kind.is_paced:
        clip_s = sum(clip.duration_s for clip in clips) / len(clips)
        utterance_s = (clip_s + config.trailing_silence_s + sum(config.pause_s) / 2) * config.utterances_per_connection
        utterance_s = min(utterance_s, config.call_s or utterance_s)  # a call ends with its connection
    in_use = psutil.Process().num_fds()
    return shortages(probe_machine(), callers, processes, utterance_s, is_near(config.stt_url), in_use)


def shortage_of_room(config: RunConfig, clips: Sequence[Clip], callers: int) -> str | None:
    """One line where the disk has no room for the rows of a soak; None where it has, and for any other run."""
    if config.soak_s is None:
        return None
    utterance_s = sum(clip.duration_s for clip in clips) / len(clips) + sum(config.pause_s) / 2
    wanted = callers * config.soak_s / max(utterance_s, 1.0) * _ROW_BYTES
    free = shutil.disk_usage(_first_there(Path(config.results).absolute())).free
    if wanted < free:
        return None
    return (
        f"a soak of {config.soak_s / 3_600:.3g} h with {callers} callers writes up to {wanted / 1e9:,.1f} GB, and "
        f"{config.results} has {free / 1e9:,.1f} GB of room: it ends when the disk is full; name another with --results"
    )


def _shortage_of_memory(config: RunConfig) -> str | None:
    """One line where not even one clip as long as was asked for fits into memory, at the lowest rate of any server;
    None where one does. Whether all of them do is known when they have been read."""
    return find_shortage(config, 1, 0.0, _LOWEST_RATE_HZ, psutil.virtual_memory().available)


def _first_there(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def unreachable(option: str, url: str, timeout_s: float = _REACH_TIMEOUT_S) -> str | None:
    """One line where no TCP connection to the URL comes about; None where one does."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
    try:
        socket.create_connection(address, timeout=timeout_s).close()
    except OSError as error:
        why, cause = error.strerror or str(error) or "no answer", own_cause(error)
        if cause is not None:
            return f"{option}: no connection to {address[0]}:{address[1]} ({why}): {cause}"
        return f"{option}: nothing answers at {address[0]}:{address[1]} ({why}): start the server or correct the URL"
    return None


def port_taken(option: str, host: str, port: int) -> str | None:
    """One line where that port can't be listened on; None where it can. `*` and the empty host: every interface."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server(("" if host == "*" else host, port), family=family).close()
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while ")[0]  # create_server adds the address
        is_host = error.errno is not None and (error.errno < 0 or error.errno == errno.EADDRNOTAVAIL)  # < 0: EAI_…
        advice = "name an address of this machine" if is_host else "name another port"
        flag = option.replace("-port", "-host") if is_host else option
        return f"{flag}: can't listen on {host or '*'}:{port} ({why}): {advice}"
    return None


def unwritable(results: str, option: str = "results") -> str | None:
    """One line where nothing can be written to that folder; None where it can. Tried for real: permissions alone don't
    tell (read-only file systems, quotas). A folder that had to be made is removed again: a run that is refused leaves
    nothing."""
    folder = Path(results).absolute()
    missing: list[Path] = []
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"--{option}: {results} can't be written to ({error.strerror}): name a folder that you may write to"
    finally:
        for path in missing:
            with suppress(OSError):  # somebody else has put something in
                path.rmdir()


def _unusable_credentials(config: RunConfig) -> list[str]:
    """One line for each credential of the environment that can't be sent."""
    try:
        read_credentials(os.environ, config.kind.key_variable, config.stt_url)
    except ConfigError as error:
        return list(error.problems)
    return []


def _unusable_outlets(config: RunConfig) -> list[str]:
    """One line for each way out of this process that the run's figures can't take."""
    taken = port_taken("--metrics", *config.metrics) if config.metrics else None
    lines = [taken] if taken else []
    try:
        if config.otlp_endpoint is not None:
            check_otlp(config.otlp_endpoint, os.environ)
    except ConfigError as error:
        lines += error.problems
    return lines


def _unusable_output(output: str | None) -> str | None:
    if output is None:
        return None
    from stt_load.report.publish import report_file  # with all that makes a report, which takes a third of a second

    try:
        report_file(output)
    except ConfigError as error:
        return str(error)
    if not Path(output).absolute().parent.is_dir():
        return f"--output: folder {Path(output).parent} does not exist"
    return None
