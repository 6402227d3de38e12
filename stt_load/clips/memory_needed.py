"""How much memory the clips of a run take, told before they are made: a clip may be joined to any length."""

from __future__ import annotations

from itertools import product
from math import prod

from stt_load.audio.joined import Joined
from stt_load.config import RunConfig

_KEPT_BYTES = 4  # of each sample: int16 in the clip, and again in the frames that are sent
_AT_WORK_BYTES = 50  # of each sample of the longest clip, while its loudness, noise or codec is worked out; measured
_AT_WORK_IN_STREET_BYTES = 110  # a Fourier transform over all of it


def needed_bytes(config: RunConfig, n_clips: int, pool_s: float, rate_hz: int) -> float:
    """The most memory that a run with this configuration needs at once for its clips. `pool_s`: how long the clips are
    together as they are read."""
    variants = [
        _spoken(n_clips, pool_s, *choice)
        for choice in product(config.speeds, config.joins_s, config.pauses_in_speech_s)
    ]
    heard = config.levels_dbfs, config.snrs_db, config.codecs
    kept_s = sum(total_s for _, total_s in variants) * prod(map(len, heard)) * (2 if config.silence_ratio else 1)
    longest_s = max(total_s / n for n, total_s in variants)
    is_worked_on = any(value is not None for values in heard for value in values)
    at_work = _AT_WORK_IN_STREET_BYTES if config.noise == "street" else _AT_WORK_BYTES
    return rate_hz * (kept_s * _KEPT_BYTES + (longest_s * at_work if is_worked_on else 0))


def find_shortage(config: RunConfig, n_clips: int, pool_s: float, rate_hz: int, free_bytes: float) -> str | None:
    """One line where the clips need more memory than is free; None where they don't."""
    needed = needed_bytes(config, n_clips, pool_s, rate_hz)
    if needed <= free_bytes:
        return None
    lengths = {"join": config.joins_s, "pause-in-speech": config.pauses_in_speech_s}
    longest = max(lengths, key=lambda name: max((value or 0.0 for value in lengths[name]), default=0.0))
    option, advice = (longest, "name a shorter time") if any(lengths[longest]) else ("clips", "name fewer")
    return (
        f"--{option}: the clips would take {needed / 1e9:,.1f} GB of memory in each load process, and "
        f"{free_bytes / 1e9:,.1f} GB are free: {advice}, or fewer variants"
    )


def _spoken(
    n: int, total_s: float, speed: float | None, join_s: float | None, pause_s: float | None
) -> tuple[int, float]:
    """How many clips there are once they are spoken so, and how long they are together."""
    total_s /= speed or 1.0
    if join_s is not None:
        n, mean_s = Joined(join_s).number(n, total_s), total_s / n
        total_s = n * max(join_s, mean_s)
    return n, total_s + n * (pause_s or 0.0)
