"""The page in a real browser: on a laptop, a phone and paper, in the dark, under a pointer and a keyboard."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import open_page
from made_run import MadeRun, made_run
from playwright.sync_api import Page

from stt_load.report.build import build_report
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.html import report_html

PHONE, LAPTOP, A4 = {"width": 390, "height": 844}, {"width": 1400, "height": 900}, {"width": 718, "height": 1046}
LADDER = (1, 5, 10, 20, 30, 40)

CONTRAST = """(element) => {
    const luminance = (colour) => {
        const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map((value) => {
            const share = value / 255;
            return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const style = getComputedStyle(element);
    const paper = getComputedStyle(element.closest("section")).backgroundColor;
    const written = luminance(element instanceof SVGElement ? style.fill : style.color);
    const behind = luminance(paper);
    return (Math.max(written, behind) + 0.05) / (Math.min(written, behind) + 0.05);
}"""


def usual_run() -> MadeRun:
    """A run with a knee, a stage that can't be believed, and one in which most callers were refused."""
    made = made_run(ladder=LADDER, per_stage=60, host=True)
    made.run["stt_url"] = "wss://stt.example.com/v1/realtime"
    for row in made.transitions:
        if row["stage"] == 3 and row["phase"] == "grace":
            row["generator_cpu_pct"] = 97.0
    rng = random.Random(1)
    for record in made.utterances:
        if record.stage == 5 and rng.random() < 0.83:
            record.outcome, record.eos_latency_s, record.text = "refused", None, ""
            record.error = "HTTP 503: 24 of 24 sessions in use"
    return made


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    made = usual_run()
    report = build_report(made.run, made.transitions, [made.utterances], made.samples)
    file: Path = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(report_html(report, draw_charts(report)), encoding="utf-8")
    with open_page() as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        assert requests == [file.as_uri()], "the page fetches something"
        yield page


@pytest.fixture(autouse=True)
def as_at_first(page: Page) -> None:
    page.set_viewport_size(LAPTOP)
    page.emulate_media(media="screen", color_scheme="light")
    page.evaluate("window.scrollTo(0, 0)")


def test_the_first_screen_has_the_answer_and_its_chart(page: Page) -> None:
    for selector in ("h1", "figure.headline svg"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= LAPTOP["height"]


@pytest.mark.parametrize(("size", "media"), [(PHONE, "screen"), (A4, "print")])
def test_the_verdict_of_every_stage_is_seen_without_sideways_scrolling(page: Page, size: dict, media: str) -> None:
    page.set_viewport_size(size)
    page.emulate_media(media=media)
    verdicts = page.locator("#stages td.verdict").all()
    assert len(verdicts) == len(LADDER)
    boxes = [verdict.bounding_box() for verdict in verdicts]
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= size["width"] for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_on_either_paper(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    for selector in (".chart .label", "h1", ".faint", ".verdict.pass", ".verdict.fail", ".verdict.invalid"):
        contrasts = page.locator(f"section {selector}").evaluate_all(f"(all) => all.map({CONTRAST})")
        assert contrasts and min(contrasts) >= 4.5, selector


def test_two_sheets_of_paper_hold_a_usual_run(page: Page) -> None:
    page.emulate_media(media="print")
    sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", print_background=True)))
    assert 1 <= sheets <= 2


def test_a_pointer_shows_the_figures_of_a_stage_and_so_does_the_keyboard(page: Page) -> None:
    strip = page.locator("figure.headline .at").nth(2)
    tip = strip.locator(".tip")
    assert not tip.is_visible()
    strip.locator(".hit").hover()
    assert tip.is_visible()
    assert "10 callers: pass" in tip.text_content()
    assert re.search(r"p95 0\.\d{3} s", tip.text_content())
    page.mouse.move(0, 0)
    assert not tip.is_visible()
    strip.focus()
    assert tip.is_visible()


def test_stages_that_are_no_good_look_like_it(page: Page) -> None:
    """The stage with refused callers has a cross where its latency would be, the doubtful one is hatched."""
    headline = page.locator("figure.headline")
    assert headline.locator(".band.invalid").count() == 1
    assert headline.locator(".cross").count() >= 1
    assert "p95 failed" in headline.locator(".at").last.text_content()
    assert headline.locator(".band.invalid").evaluate("(band) => getComputedStyle(band).fill").startswith("url(")
