"""The web UI as people use it: a real browser that types, starts, changes and stops, and a run that is told to end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import requests
from browser import open_page
from playwright.sync_api import Page, expect
from runs import (
    INTERACTIVE,
    LADDER,
    Run,
    StartSink,
    phases,
    rows,
    run_folder,
    summary,
    two_processes,
    wait_for,
    wait_for_hold,
)
from sites import other_origin, web_ui

pytestmark = pytest.mark.locust


def test_in_a_real_browser_a_run_is_typed_started_changed_watched_stopped_and_started_again(
    start_sink: StartSink, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with web_ui(INTERACTIVE, tmp_path) as (site, run), open_page() as page:
        assert_another_origin_is_refused(page, site)
        assert not results.exists()

        page.goto(f"{site}/?tab=stages")
        page.locator("[name=host]").fill(start_sink().url)
        options = page.get_by_text("Options of stt-load")
        options.click()
        assert page.locator(".stt-heading").all_inner_texts()[:3] == ["Server", "Objectives", "Callers"]
        page.locator("[name=dialect]").evaluate("list => { list.options[0].value = 'latin'; list.selectedIndex = 0 }")
        page.locator("[name=timeout]").fill("soon")
        page.locator("[name=slo]").fill("eos_latency:p95<60s, werr<3%")
        options.click()
        press(page, "Start")
        for name, told in (("timeout", "--timeout: 'soon' is not a duration"), ("slo", "there is no figure 'werr'")):
            expect(page.locator(f".MuiFormControl-root:has([name={name}]) .stt-error")).to_contain_text(told)
        expect(page.locator(".MuiAlert-message")).to_contain_text("--dialect: ")
        assert not results.exists()
        page.locator("[name=dialect]").evaluate("list => { list.options[0].value = 'parakeet' }")
        page.locator("[name=timeout]").fill("30s")
        page.locator("[name=slo]").fill("eos_latency:p95<60s, wer<90%")
        page.locator("[name=userCount]").fill("5")
        page.locator("[name=spawnRate]").fill("10")
        press(page, "Start")

        stages = page.frame_locator("#stt-stages")
        rows_of_stages = stages.locator("#stages tbody tr")
        expect(rows_of_stages).to_have_count(1)
        wait_for_hold(results, 0, run)
        expect(rows_of_stages.nth(0).locator("td").nth(2)).to_contain_text("0.")  # its latency, while it goes on
        press(page, "Edit")
        page.locator(".MuiModal-root [name=userCount]").fill("10")
        press(page, "Update")
        expect(rows_of_stages).to_have_count(2)
        assert rows_of_stages.nth(0).locator("td").nth(0).inner_text() == "5"
        expect(rows_of_stages.nth(0)).not_to_contain_text("now")
        expect(rows_of_stages.nth(1)).to_contain_text("now")
        wait_for_hold(results, 1, run)
        expect(rows_of_stages.nth(1).locator("td").nth(2)).to_contain_text("0.")
        page.set_viewport_size({"width": 390, "height": 844})  # a phone's
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.set_viewport_size({"width": 1280, "height": 900})
        press(page, "Stop")
        expect(stages.locator("#answer b")).to_have_text(summary_of(results, run)["verdict"])
        expect(rows_of_stages.nth(1)).not_to_contain_text("now")

        names = [row["name"] for row in requests.get(f"{site}/stats/requests", timeout=30).json()["stats"]]
        assert {"EOS @ 5", "EOS @ 10"} <= set(names)
        with page.expect_popup() as opened:
            stages.get_by_role("link", name="Open the report").click()
        opened.value.wait_for_load_state()
        assert "EOS" in opened.value.locator("body").inner_text()
        assert opened.value.evaluate("self.origin") == "null", "what servers said can't use the web UI"

        press(page, "New")
        page.locator(".MuiModal-root button[type=submit]").click()
        wait_for(lambda: len([*results.iterdir()]) == 2, "the second run", run)
        expect(rows_of_stages).to_have_count(1)
        run.send(signal.SIGTERM)
        assert run.wait() == 5, run.output
    assert "Traceback" not in run.output, run.output


def assert_another_origin_is_refused(page: Page, site: str) -> None:
    """A page of another origin may neither send a form to the web UI nor read from it."""
    foreign = f"""<iframe name=f></iframe><form method=post target=f action={site}/swarm>
        <input name=user_count value=1><input name=spawn_rate value=1></form>"""
    with other_origin(foreign) as (evil, _):
        page.goto(evil)
        page.evaluate(
            "new Promise(done => { document.querySelector('iframe').onload = done; document.forms[0].submit() })"
        )
        ask = f"fetch('{site}/swarm', {{method: 'POST', mode: 'no-cors', body: new FormData(document.forms[0])}})"
        assert page.evaluate(f"{ask}.then(() => 'sent')") == "sent"
        read = f"fetch('{site}/logs').then(answer => answer.text())"
        assert "a page of another origin" in page.evaluate(read)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def summary_of(results: Path, run: Run) -> dict:
    wait_for(lambda: (run_folder(results) / "summary.json").exists(), "the summary", run)
    assert phases(results) == [(0, "ramp"), (0, "hold"), (1, "ramp"), (1, "hold"), (1, "done")]
    assert [stage["users"] for stage in summary(results)["stages"]] == [5, 10]
    assert {row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl")} == {"ok"}
    return summary(results)


def test_with_workers_a_wrong_value_starts_nothing_and_a_signal_in_the_run_that_follows_ends_with_5(
    start_sink: StartSink, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with web_ui(LADDER, tmp_path, *two_processes(), "--host", start_sink().url) as (site, run):
        wait_for(lambda: n_workers(site) >= 2, "the workers", run)

        def swarm(**form: str) -> dict:
            return requests.post(f"{site}/swarm", data={"concurrency": "3", **form}, timeout=30).json()

        said = swarm(hold="soon", host="http://localhost:1")
        assert not said["success"]
        assert [problem["field"] for problem in said["problems"]] == ["host", "hold"]
        assert not results.exists() or not any(results.iterdir())
        assert swarm(hold="600s")["success"]
        wait_for_hold(results, 0, run)
        assert "a run is on" in swarm(hold="5s")["message"]
        run.send(signal.SIGINT)
        assert run.wait() == 5, run.output
    assert "Traceback" not in run.output, run.output
    assert rows(run_folder(results) / "stages.jsonl")[-1]["aborted"] is True
    assert summary(results)["stages"][0]["users"] == 3


def n_workers(site: str) -> int:
    return len(requests.get(f"{site}/stats/requests", timeout=5).json().get("workers", ()))
