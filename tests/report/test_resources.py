"""The second table: which rows and columns it has, and what stands in a cell."""

from pathlib import Path
from typing import Any

import pytest
from made_run import MadeRun, made_run
from made_samples import gpu_entry, sidecar_entry

from stt_load.report.build import build_report
from stt_load.report.resources import KEY_HEADINGS, RESOURCE_COLUMNS, resource_table
from stt_load.report.text_table import TextTable

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


def table(made: MadeRun, *, is_short: bool = False) -> TextTable:
    made_table = resource_table(
        build_report(made.run, made.transitions, [made.utterances], made.samples), is_short=is_short
    )
    assert made_table is not None
    return made_table


def with_gpus(n: int, sm_pct: int | None = None, ladder: tuple[int, ...] = (5, 10)) -> MadeRun:
    """All but the first of them with a fixed utilisation."""
    made = made_run(ladder=ladder, per_stage=5, host=True)
    others = {} if sm_pct is None else {"sm_pct": sm_pct}
    made.gpu += [{**row, "gpu": gpu, **others} for gpu in range(1, n) for row in made.gpu]
    return made


def devices(resources: TextTable) -> list[str]:
    return [row[1] for row in resources.rows]


def column(resources: TextTable, heading: str) -> list[str]:
    return [row[resources.headings.index(heading)] for row in resources.rows]


def test_there_is_a_row_for_each_stage_and_device() -> None:
    resources = table(with_gpus(2))
    assert [row[:2] for row in resources.rows] == [
        (users, name) for users in ("5", "10") for name in ("GPU 0", "GPU 1", "server", "host")
    ]


def test_a_run_without_samples_has_no_table() -> None:
    made = made_run(ladder=(1,), per_stage=2, gpu=False)
    assert resource_table(build_report(made.run, made.transitions, [made.utterances])) is None


def test_columns_that_nothing_can_fill_are_left_out_with_their_words() -> None:
    made = made_run(ladder=(1,), per_stage=2, gpu=False, host=True)
    resources = table(made)
    of_memory = ("memory mean", "memory peak", "growth /min")
    assert resources.headings == (*KEY_HEADINGS, "busy mean", "busy p95", *of_memory, "covered%")
    assert not any(word in line for line in resources.notes for word in ("throttled", "energy", "GPU"))


def test_each_kind_of_device_says_how_busy_it_was_in_its_own_unit() -> None:
    resources = table(made_run(ladder=(10,), per_stage=2, host=True))
    assert [cell.split()[1] for cell in column(resources, "busy mean")] == ["%", "cores", "%"]
    assert column(resources, "power W")[1:] == ["-", "-"]


@pytest.mark.parametrize(("kept_s", "busy"), [(29, " %"), (22, " %?"), (3, "lost"), (0, "lost")])
def test_a_figure_says_how_much_of_the_hold_it_stands_for(kept_s: int, busy: str) -> None:
    made = made_run(ladder=(5, 10), per_stage=2, host=True)
    made.run |= {"gpu": [gpu_entry()], "sidecars": [sidecar_entry()]}
    made.drop_samples(made.span(1)[0] + kept_s - 0.5, made.span(1)[1] + 60)
    resources = table(made)
    assert column(resources, "busy mean")[3].endswith(busy)
    assert column(resources, "power W")[4] == "-", "a server has no power to lose"
    assert "?" not in column(resources, "covered%")[3]


def test_hosts_are_named_where_there_are_several() -> None:
    made = made_run(ladder=(5,), per_stage=2)
    made.gpu += [{**row, "host": "other"} for row in made.gpu]
    assert devices(table(made)) == ["GPU 0 (gpu)", "GPU 0 (other)"]


def test_the_console_leaves_out_hosts_and_idle_gpus_and_says_so() -> None:
    resources = table(with_gpus(8, sm_pct=0), is_short=True)
    assert devices(resources) == ["GPU 0", "server"] * 2
    assert "16 more rows are in report.html." in resources.notes


def test_one_row_that_is_left_out_is_one_row() -> None:
    resources = table(made_run(ladder=(5,), per_stage=2, host=True), is_short=True)
    assert devices(resources) == ["GPU 0", "server"]
    assert "1 more row is in report.html." in resources.notes


def test_the_console_shows_hosts_where_there_is_nothing_else() -> None:
    made = made_run(ladder=(5,), per_stage=2, gpu=False, host=True)
    made.host = [row for row in made.host if row["kind"] == "host"]
    assert devices(table(made, is_short=True)) == ["host"]


def test_of_many_busy_gpus_the_console_shows_the_busiest() -> None:
    resources = table(with_gpus(8, sm_pct=99, ladder=(1, 5, 10, 20)), is_short=True)
    assert devices(resources) == ["GPU 1", "server"] * 4


def test_a_gpu_that_nobody_ever_saw_has_a_row_that_says_so() -> None:
    made = made_run(ladder=(5,), per_stage=2, gpu=False)
    made.run["options"]["gpu-sidecar"] = "http://10.0.0.7:9550"
    resources = table(made)
    assert resources.rows == (("5", "GPU", "lost", "0"),)


@pytest.mark.parametrize("heading", [*KEY_HEADINGS, *(column.heading for column in RESOURCE_COLUMNS)])
def test_the_page_about_the_report_explains_each_column(heading: str) -> None:
    assert f"`{heading}`" in PAGE


def test_the_rows_have_a_cell_for_each_heading() -> None:
    resources: Any = table(with_gpus(3))
    assert {len(row) for row in resources.rows} == {len(resources.headings)}
