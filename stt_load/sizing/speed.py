"""Uses a ratio of two machines: how much more the second holds than a run on the first, and what to doubt in that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.errors import ConfigError
from stt_load.report.machines import in_words
from stt_load.report.wording import callers
from stt_load.sizing.deployment import Speed
from stt_load.sizing.identity import Identity, differences
from stt_load.sizing.ratio import RatioConfig, RatioRow
from stt_load.sizing.replica import Replica

_PLACES = ("the ratio", "RUN")


def speed_for(config: RatioConfig, replica: Replica, *, is_forced: bool = False) -> tuple[Speed, tuple[str, ...]]:
    """How much more the second machine holds than `replica`, which ran on the first, and what to doubt in that.

    Raises ConfigError where the run is of another model or another machine than the ratio's first.
    """
    source = config["from"]
    if config["kind"] != replica.kind.name:
        raise ConfigError(f"--ratio: it is one of {config['kind']}, and RUN is a run of {replica.kind.name}")
    differing = [
        *differences(source["model"], replica.model, _PLACES),
        *_other_machine(source, replica),
    ]
    if differing and not is_forced:
        end = "the ratio is of another model or machine than the run: measure it again, or add --anyway"
        raise ConfigError([*differing, end])
    speed = speed_of(config)
    return speed, (*_forced_lines(config, differing), *_extrapolation(config, replica), *_noise(speed))


def speed_of(config: RatioConfig) -> Speed:
    """The ratio that says most of how much a machine holds: requests a second, else callers held, else latency."""
    rps, holds = config.get("rps_ratio"), config.get("holds_ratio")
    most, latency = config["loads"][-1]["users"], config["latency_ratio"]
    if rps is not None:
        return _speed_of(latency, rps, f"the ratio of requests a second with {most} at once")
    if holds is not None:
        return _speed_of(latency, holds, "the ratio of callers held")
    if not latency:
        raise ConfigError("too few utterances were completed for any ratio: run both again, for longer")
    # p95 where its interval is known: it is what objectives are about.
    statistic = max(latency, key=lambda name: (None not in (latency[name]["low"], latency[name]["high"]), name))
    inverse = _inverse(latency[statistic])
    return _speed_of(latency, inverse, f"one over the ratio of latency {statistic}, which is no measure of capacity")


def _speed_of(latency: Mapping[str, RatioRow], row: RatioRow, told: str) -> Speed:
    return Speed(row["ratio"], row["low"], row["high"], told, {name: found["ratio"] for name, found in latency.items()})


def _inverse(row: RatioRow) -> RatioRow:
    return RatioRow(
        ratio=1 / row["ratio"],
        low=1 / row["high"] if row["high"] else None,
        high=1 / row["low"] if row["low"] else None,
    )


def _other_machine(source: Mapping[str, Any], replica: Replica) -> list[str]:
    one, other = _hardware(source["machine"]), _hardware(replica.machine)
    one["CPU limit of the server"] = source.get("cpu_limit_cores")
    other["CPU limit of the server"] = replica.cpu.limit_cores if replica.cpu else None
    return differences(one, other, _PLACES)


def _hardware(machine: Mapping[str, Any]) -> Identity:
    """What makes a machine another one, as far as it is known. A driver may be newer."""
    servers = [in_words(server, ("host", "cpu_model", "cores")) for server in machine.get("server") or ()]
    gpus = [in_words(gpu, ("name", "memory_total_mib")) for gpu in machine.get("gpus") or ()]
    return {
        "machine of the server": "; ".join(servers) or None,
        "GPUs": "; ".join(sorted(gpus)) if servers else None,
    }


def _forced_lines(config: RatioConfig, differing: Sequence[str]) -> list[str]:
    lines = [f"forced by --anyway, though the ratio is not of this run: {line}" for line in differing]
    lines += [f"the ratio itself was forced by --anyway: {line}" for line in config.get("differing") or ()]
    if not config["from"]["machine"].get("server"):
        lines.append("the machine of the server in the ratio's first run is not known: no sidecar was there")
    return lines


def _extrapolation(config: RatioConfig, replica: Replica) -> list[str]:
    most = max(load["users"] for load in config["loads"])
    measured = f"the ratio was measured with up to {callers(most, replica.kind)}"
    if replica.holds <= most:
        return [f"{measured}, and K is within that"]
    return [f"{measured}: K, {replica.holds}, is {replica.holds / most:.1f} times as many, which is extrapolated"]


def _noise(speed: Speed) -> list[str]:
    if speed.low is None or speed.high is None:
        return ["the ratio has no interval: too little was measured"]
    return [f"the ratio is {speed.factor:.2f} ({speed.low:.2f} to {speed.high:.2f})"]
