"""What run.json says of the sidecars: whole, half-written, and from a sidecar that never answered."""

import math
from typing import Any

import pytest
from made_samples import gap_entry, gpu_entry, sidecar_entry

from stt_load.report.device import Device
from stt_load.report.sidecars import Sidecars

UNREACHED = {"url": "http://10.0.0.7:9550", "host": None, "why": "not reached", "sources": None, "clock_offset_s": None}
ASKED = {"options": {"gpu-sidecar": "local"}}
GPU, SERVER = Device("gpu", "gpu", 0), Device("gpu", "process")


def made(**changes: Any) -> Sidecars:
    return Sidecars({"gpu": [gpu_entry()], "sidecars": [sidecar_entry(**changes)]})


def test_every_gpu_that_is_watched_is_expected() -> None:
    run = {"gpu": [gpu_entry(), gpu_entry(index=3), gpu_entry(host="other")], "sidecars": [sidecar_entry()]}
    assert Sidecars(run).watched == (GPU, Device("gpu", "gpu", 3), Device("other", "gpu", 0))


@pytest.mark.parametrize(
    "run",
    [{}, {"options": {"gpu-sidecar": "off"}}, {"gpu": [], "sidecars": [sidecar_entry()], **ASKED}],
    ids=["an old run", "nobody asked", "a host without a GPU"],
)
def test_where_there_is_no_gpu_to_sample_none_is_expected(run: dict[str, Any]) -> None:
    assert Sidecars(run).watched == ()


@pytest.mark.parametrize("run", [ASKED, {"sidecars": [UNREACHED]}, {**ASKED, "gpu": [], "sidecars": [UNREACHED]}])
def test_of_a_sidecar_that_never_answered_one_gpu_is_missing(run: dict[str, Any]) -> None:
    assert [device.name for device in Sidecars(run).watched] == ["GPU"]


def test_a_second_sidecar_that_never_answered_is_named_and_costs_the_first_nothing() -> None:
    sidecars = Sidecars({"gpu": [gpu_entry()], "sidecars": [sidecar_entry(), UNREACHED]})
    assert sidecars.watched == (GPU,)
    assert sidecars.silent == ("no samples from the GPU sidecar http://10.0.0.7:9550: not reached",)


def test_the_period_is_that_of_the_source_of_this_device() -> None:
    sidecars = made()
    sidecars.entries[0]["sources"][0]["period_s"] = 0.1
    assert (sidecars.period_s(GPU), sidecars.period_s(SERVER)) == (0.1, 1.0)
    assert sidecars.period_s(Device("elsewhere", "gpu", 0)) is None


def test_gaps_come_back_on_the_clock_of_the_master() -> None:
    recorded = [gap_entry(1_000.0, 1_003.5, "dmon died"), gap_entry(1_010.0, None, "dmon was quiet for 3 s")]
    first, second = made(gaps=recorded).gaps
    assert (first.host, first.samples, first.why) == ("gpu", "GPU", "dmon died")
    assert first.span == pytest.approx((1_000.0, 1_003.5))
    assert second.span == pytest.approx((1_010.0, math.inf))


def test_what_nobody_says_of_a_clock_is_no_uncertainty() -> None:
    assert made().uncertainty_s("gpu") == 0.0004
    assert made().uncertainty_s("elsewhere") == 0.0
    assert Sidecars({"sidecars": [UNREACHED]}).uncertainty_s("None") == 0.0


def test_people_are_told_what_is_watched_and_why_and_how_it_went() -> None:
    ((name, rows),) = made(gaps=[gap_entry(1.0, 2.0, "dmon died")], is_guess=True).described
    facts = dict(rows)
    assert name == "http://10.0.0.7:9550"
    assert facts["GPUs"] == "GPU 0, NVIDIA A10, 23028 MiB, driver 550.54.15, GPU-7a2f"
    assert facts["why"] == "a guess: pid 4242 (python3) uses GPU 0"
    assert facts["server"] == "python3: port 8000 is pid 4242's"
    assert facts["source dmon"] == "every 1 s; restarted once; one gap: dmon died"
    assert facts["source host"] == "every 1 s; no gap"
    assert facts["clock"] == "30.0000 s ahead of the master's, ± 0.4 ms"


def test_the_machine_of_a_sidecar_is_told_as_far_as_it_is_known() -> None:
    whole = {"architecture": "x86_64", "cpu_model": "Made-up 9000", "cores": 8}
    for machine, told in ((whole, "Made-up 9000, x86_64, 8 cores"), ({"cores": 8}, "8 cores"), (None, None)):
        ((_, rows),) = made(machine=machine).described
        assert dict(rows).get("machine") == told


def test_of_a_sidecar_that_never_answered_people_are_told_that() -> None:
    assert Sidecars({"sidecars": [UNREACHED]}).described == [("http://10.0.0.7:9550", [("why", "not reached")])]
