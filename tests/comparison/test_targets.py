from __future__ import annotations

import pytest
from made_results import compared

from stt_load.comparison.targets import Target, parse_targets, read_targets, shipped
from stt_load.errors import ConfigError


def by_heading(targets: tuple[Target, ...]) -> dict[str, Target]:
    return {target.measure.heading: target for target in targets}


def test_the_targets_for_chatterbox_are_those_of_its_bench() -> None:
    shown = {heading: target.text for heading, target in by_heading(read_targets("chatterbox")).items()}
    assert shown == {
        "TTFC": "≤400/300 ms",
        "RTF": "≤0.5/0.4",
        "P50": "≤450/350 ms",
        "P95": "≤500/400 ms",
        "P99": "≤750/600 ms",
        "Streams": "≥3/5",
        "VRAM": "≤16/12 GB",
    }


def test_bounds_are_kept_in_base_units() -> None:
    targets = by_heading(read_targets("chatterbox"))
    assert targets["TTFC"].target.value == 0.4
    assert targets["VRAM"].target.value == 16 * 1_024
    assert targets["TTFC"].loads == ("1", "short")


@pytest.mark.parametrize(
    ("bound", "met", "missed"), [("< 2", 1.99, 2), ("<= 2", 2, 2.01), ("> 2", 2.01, 2), (">= 2", 2, 1.99)]
)
def test_a_bound_holds_as_its_sign_says(bound: str, met: float, missed: float) -> None:
    (target,) = parse_targets(f'[T]\nmetric = "holds"\ntarget = "{bound}"', "mine")
    assert target.target.is_met_by(met)
    assert not target.target.is_met_by(missed)


def test_the_shipped_file_can_be_printed_to_write_ones_own() -> None:
    done = compared("--print-targets", "chatterbox")
    assert (done.code, done.printed) == (0, shipped()["chatterbox"])
    assert parse_targets(done.printed, "mine") == read_targets("chatterbox")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no target; `--print-targets chatterbox` shows how to write one"),
        ("[T", "it is not TOML: "),
        ("T = 1", "[T]: write a table with `metric` and `target`"),
        ("[T]", "[T]: it has no metric and no target"),
        (
            '[T]\nmetric = "wer"\ntarget = "< 5 %"\ngoal = 1',
            "[T]: there is no key 'goal'; it can have metric, target, stretch",
        ),
        ('[T]\nmetric = "speed"\ntarget = "< 5 %"', "[T]: there is no figure 'speed'; docs/figures.md lists them"),
        (
            '[T]\nmetric = "eos_latency"\ntarget = "< 1 s"',
            "[T]: 'eos_latency' is not a figure with its statistic: write it like eos_latency:p95",
        ),
        (
            '[T]\nmetric = "wer:p95"\ntarget = "< 5 %"',
            "[T]: 'wer:p95' is not a figure with its statistic: write it like wer",
        ),
        (
            '[T]\nmetric = "wer"\ntarget = "< 5"',
            "[T]: '< 5' can't be read: write a sign, a number and a unit, like '<= 10 %'",
        ),
        (
            '[T]\nmetric = "holds"\ntarget = "5 streams"',
            "[T]: '5 streams' can't be read: write a sign, a number and a unit, like '<= 10'",
        ),
        (
            '[T]\nmetric = "wer"\ntarget = "< 5 %"\nstretch = "> 3 %"',
            "[T]: target '< 5 %' and stretch '> 3 %' must point the same way",
        ),
        (
            '[T]\nmetric = "wer"\ntarget = "< 5 %"\nstretch = "< 8 %"',
            "[T]: stretch '< 8 %' is easier than target '< 5 %': exchange them",
        ),
        (
            '[T]\nmetric = "wer"\ntarget = "< 5 %"\n[U]\nmetric = "wer"\ntarget = "< 8 %"',
            "[U]: wer has a target already",
        ),
    ],
)
def test_a_file_that_is_no_list_of_targets_is_told_in_one_line(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_targets(text, "mine.toml")
    assert raised.value.problems[0].startswith(f"--targets mine.toml: {why}")


def test_all_that_is_wrong_with_a_file_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_targets("[A]\n[B]\nmetric = 'x'\ntarget = '< 1'", "mine.toml")
    assert len(raised.value.problems) == 2
