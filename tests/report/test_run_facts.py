from __future__ import annotations

import pytest
from made_run import made_run

from stt_load.report.raw_rows import checked_run
from stt_load.report.run_facts import hardware, run_facts, what_was_measured

RUN = made_run((1,)).run


def test_the_machine_of_the_server_is_the_hardware_where_a_sidecar_told_it() -> None:
    machine = {"architecture": "x86_64", "cpu_model": "EPYC", "cores": 64}
    run = RUN | {"sidecars": [{"host": "gpu-1", "machine": machine}], "gpu": [{"host": "gpu-1", "name": "H200"}]}
    assert hardware(RUN) == "load, 2 cores"
    assert hardware(run) == "H200 on gpu-1; gpu-1, EPYC, 64 cores"
    assert run_facts(run)["load machine"] == ("load, 2 cores",)


def test_no_secret_of_an_address_is_told() -> None:
    assert run_facts({"stt_url": "wss://me:hidden@host/ws?api_key=hidden"})["server"][0].count("hidden") == 0


@pytest.mark.parametrize("value", [0, -1.5, "x", "", [], [1], ["x"], [{}], {}, {"ms": "x"}, {"n": []}, True, None])
def test_whatever_a_damaged_run_json_holds_is_told_or_left_out(value: object) -> None:
    keys = [*RUN, "stt_url", "dialect_options", "language", "sidecars", "plan"]
    nested = [RUN | {"hosts": [{"cores": value, "container_cpu_limit": value}], "sidecars": [{"machine": value}]}]
    for run in [*(RUN | {key: value} for key in keys), *nested, RUN | {"frame": {"ms": value, "bytes": value}}]:
        checked, _ = checked_run(run)
        assert hardware(checked)
        assert all(text for texts in run_facts(checked).values() for text in texts)


def test_the_same_clips_from_another_folder_are_the_same_test() -> None:
    moved = RUN | {"clips": RUN["clips"] | {"source": "elsewhere"}}
    assert what_was_measured(moved) == what_was_measured(RUN)
    assert run_facts(moved)["source of the clips"] == ("elsewhere",)
