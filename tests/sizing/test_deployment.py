"""The arithmetic from what one replica holds to how many are needed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sized import replica

from stt_load.errors import ConfigError, ExitCode
from stt_load.kinds import TTS, UPLOAD
from stt_load.sizing.amounts import Price
from stt_load.sizing.deployment import Demand, Speed, plan_deployment
from stt_load.sizing.replica import Unusable

CALLERS = st.integers(1, 5_000)
SHARES = st.floats(0.0, 0.95)
DUTIES = st.floats(0.05, 1.0)
UPLOADS: dict[str, Any] = {
    "kind": UPLOAD,
    "holds": 4,
    "at_users": 4,
    "duty": None,
    "requests_per_s": 2.0,
    "audio_s": 6.0,
}


def test_each_step_is_told() -> None:
    deployment = plan_deployment(replica(), Demand(300, headroom=0.2, duty=0.3, price=Price(1.10, "$")))
    assert deployment.full == 44
    assert deployment.planned == pytest.approx(35.2)
    assert deployment.replicas == deployment.gpus == 9
    assert deployment.audio_hours_per_h == pytest.approx(90)
    assert deployment.cost_per_h == pytest.approx(9.9)
    assert deployment.cost_per_audio_h == pytest.approx(0.11)
    assert deployment.left_without_one == 8 * 44
    steps = "\n".join(deployment.steps)
    assert "sent audio 90.0 % of the time: 18.0 streams at once on average, and at most 20 in 99 % of moments" in steps
    assert "44 of them are no more load" in steps
    assert "44 × 0.8 = 35.2 callers for each" in steps
    assert "300 callers / 35.2 = 8.52, rounded up: 9 replicas" in steps


def test_a_server_that_holds_one_caller_can_have_headroom() -> None:
    """There are 1.25 replicas for each caller, and one in five of them is free."""
    assert plan_deployment(replica(holds=1, at_users=1), Demand(8, headroom=0.2)).replicas == 10


def test_two_gpus_of_a_replica_are_counted() -> None:
    assert plan_deployment(replica(gpus=2.0), Demand(40, headroom=0.0)).gpus == 4


def test_uploads_are_sized_by_requests_a_second_or_at_once() -> None:
    by_rate = plan_deployment(replica(**UPLOADS), Demand(None, 12.0, 0.2, price=Price(1.0)))
    assert (by_rate.replicas, by_rate.unit) == (8, "requests/s")
    assert by_rate.planned_at_once == pytest.approx(3.2)
    assert by_rate.audio_hours_per_h == pytest.approx(72)
    at_once = plan_deployment(replica(**UPLOADS), Demand(24, headroom=0.2, price=Price(1.0)))
    assert (at_once.replicas, at_once.unit) == (8, "concurrent requests")
    assert at_once.audio_hours_per_h == pytest.approx(72)


@pytest.mark.parametrize(
    ("changes", "demand", "problem"),
    [
        pytest.param({}, Demand(None), "give --callers N", id="nothing is asked for"),
        pytest.param({}, Demand(None, 3.0), "--rate: callers who speak have no rate", id="a rate of streams"),
        pytest.param(UPLOADS, Demand(3, 3.0), "one of the two", id="two demands"),
        pytest.param(UPLOADS, Demand(3, duty=0.5), "--duty: is not defined", id="a duty cycle of uploads"),
        pytest.param({**UPLOADS, "kind": TTS}, Demand(3, duty=0.5), "--duty", id="a duty cycle of text to speech"),
    ],
)
def test_what_a_kind_of_load_does_not_have_is_refused(changes: dict[str, Any], demand: Demand, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        plan_deployment(replica(**changes), demand)


@pytest.mark.parametrize(
    ("changes", "demand"),
    [
        pytest.param({**UPLOADS, "requests_per_s": None}, Demand(None, 3.0), id="a rate that was not measured"),
        pytest.param({"holds": 1, "duty": 0.1}, Demand(3, duty=1.0), id="a test whose one caller hardly spoke"),
    ],
)
def test_a_run_that_does_not_say_enough_ends_with_4(changes: dict[str, Any], demand: Demand) -> None:
    with pytest.raises(Unusable) as raised:
        plan_deployment(replica(**changes), demand)
    assert raised.value.exit_code == ExitCode.NOT_BELIEVABLE


def test_a_run_without_a_duty_cycle_takes_callers_to_be_like_its_own() -> None:
    deployment = plan_deployment(replica(duty=None), Demand(40, headroom=0.0, duty=0.5))
    assert deployment.replicas == 2
    assert deployment.audio_hours_per_h == 20


def test_another_machine_is_sized_with_both_ends_of_the_ratio() -> None:
    half = Speed(0.5, 0.4, 0.625, "made up")
    deployment = plan_deployment(replica(), Demand(100, headroom=0.0), half)
    assert (deployment.fewest, deployment.replicas, deployment.most) == (8, 10, 13)
    assert deployment.gpus is None  # of the other machine nothing is known


@settings(max_examples=40)
@given(CALLERS, CALLERS, SHARES)
def test_more_callers_never_need_fewer_replicas(one: int, other: int, headroom: float) -> None:
    few, many = sorted((one, other))
    counts = [plan_deployment(replica(), Demand(callers, headroom=headroom)).replicas for callers in (few, many)]
    assert counts == sorted(counts)


@settings(max_examples=40)
@given(CALLERS, SHARES, SHARES)
def test_more_headroom_never_needs_fewer_replicas(callers: int, one: float, other: float) -> None:
    counts = [plan_deployment(replica(), Demand(callers, headroom=share)).replicas for share in sorted((one, other))]
    assert counts == sorted(counts)


@settings(max_examples=40)
@given(CALLERS, st.lists(DUTIES, min_size=2, max_size=2, unique=True))
def test_callers_who_talk_more_never_need_fewer_replicas(callers: int, duties: list[float]) -> None:
    counts = [plan_deployment(replica(), Demand(callers, duty=duty)).replicas for duty in sorted(duties)]
    assert counts == sorted(counts)


@settings(max_examples=40)
@given(CALLERS, SHARES, DUTIES)
def test_the_replicas_hold_the_demand_with_the_headroom_and_one_fewer_would_not(
    callers: int, headroom: float, duty: float
) -> None:
    deployment = plan_deployment(replica(), Demand(callers, headroom=headroom, duty=duty))
    assert deployment.replicas * deployment.planned >= callers - 1e-6
    assert deployment.replicas == 1 or (deployment.replicas - 1) * deployment.planned < callers
