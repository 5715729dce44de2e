"""The report's page in a real browser: it shows what it should, by mouse and by keyboard, and asks for nothing.

Set NEGOTIATION_SCREENSHOTS to a folder to keep the pictures (``make screenshots`` writes those of the docs).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.report import REPORT_HTML
from benchmarks.runner.run import run_benchmark
from benchmarks.suites import CaseSuite, bad_cases, online
from negotiation_env.play.protocols import AgentReply, AgentView
from simulators.managers.replay_manager import ScriptLine

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs a Chromium: install Debian's package chromium")
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\"> Our rate stays."
SCREENSHOTS = os.environ.get("NEGOTIATION_SCREENSHOTS", "")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


class Promiser:
    """A policy that breaks a rule with every word."""

    TEXT = "We guarantee you a full house."
    name = "promiser"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        return [AgentReply(self.TEXT)] * len(views)


PROMISER = "tests.benchmarks.test_report_page:Promiser"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    shown = SCREENSHOTS
    cases = list(bad_cases()) if shown else [case for case in bad_cases() if case.id.endswith("-1")]
    first = replace(cases[0], script=(ScriptLine(HOSTILE), *(cases[0].script or ())[1:]))
    live = list(online())[: 30 if shown else 6]
    suites = [CaseSuite("bad-cases", tuple(cases) if shown else (*cases[1:], first)), CaseSuite("online", tuple(live))]
    policies = ["intent-driven", "heuristic", "random", *([] if shown else [PROMISER])]
    run_benchmark(policies, suites, out=out, progress=False)
    return out / REPORT_HTML


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    troubles: list[str] = []
    page.on("request", lambda request: None if request.url == report.as_uri() else troubles.append(request.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.goto(report.as_uri())
    yield page
    page.close()
    assert troubles == [], "expected no request beyond the page itself and no script error"


def keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def test_the_page_shows_figures_cases_and_charts(page: Page) -> None:
    for heading in (
        "Verdict",
        "Failed cases",
        "Policies",
        "Bad cases by category",
        "Rewards and concessions",
        "Transcripts",
        "Provenance",
    ):
        assert page.get_by_role("heading", name=heading, exact=True).is_visible()
    assert page.locator("td.heat").count() >= 3 * 3
    assert page.locator("svg polyline.line").count() >= 2
    assert page.locator("svg circle").count() > 50
    keep(page, "report-table")
    page.locator("#heat").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('heat').scrollIntoView()")
    keep(page, "report-heat-map-and-charts")


def test_the_page_opens_on_the_verdict_and_eight_figures(page: Page) -> None:
    assert page.locator("main > *").first.inner_text() == "Verdict"
    lines = page.locator(".verdict li").all_inner_texts()
    assert any(line.startswith("heuristic: fixes ") for line in lines)
    assert any("than intent-driven" in line or "difference between" in line for line in lines)
    first = page.locator("main table").first
    assert first.locator("tbody tr").count() == 8


def test_a_failed_case_leads_to_its_transcript(page: Page) -> None:
    for details in page.locator("details.failed").all():
        details.evaluate("element => element.open = true")
    page.fill("#search", "no transcript has these words")
    link = page.locator("details.failed a[href*='policy=random']").first
    title, words = link.inner_text(), link.locator("xpath=..").locator("q").inner_text()
    link.click()
    assert title in page.locator(".pane h3").inner_text()
    assert page.locator(".pane h3").inner_text().startswith("random: ")
    assert words.rstrip("…")[:40] in page.locator(".pane").inner_text()
    assert page.locator(".pane h3").first.bounding_box()["y"] < 900  # type: ignore[index]
    page.select_option("#policy", "heuristic")
    assert not page.locator(".pane h3").inner_text().startswith("random: ")
    link.click()
    assert page.locator(".pane h3").inner_text().startswith("random: ")


def test_an_address_opens_a_transcript_and_choosing_one_gives_its_address(page: Page, report: Path) -> None:
    page.goto(report.as_uri() + "#case=bad-cases/silence-1&policy=heuristic")
    page.reload()
    assert page.locator(".pane h3").inner_text().startswith("heuristic: ")
    assert page.locator("#list button[aria-current=true] small").inner_text().split(" · ")[1] == "bad-cases/silence-1"
    page.locator("#list button").first.click()
    assert page.evaluate("location.hash").startswith("#case=bad-cases%2F")
    page.goto(report.as_uri() + "#case=bad-cases/none&policy=heuristic")
    assert "no such transcript" in page.locator("#panes").inner_text()


def test_a_cell_of_the_heat_map_leads_to_its_transcripts(page: Page) -> None:
    page.locator("td.heat a[href*='category=silence'][href*='policy=heuristic']").click()
    page.wait_for_function("document.getElementById('category').value !== ''")  # the page hears of its hash later
    assert (page.locator("#category").input_value(), page.locator("#policy").input_value()) == ("silence", "heuristic")
    notes = page.locator("#list button small").all_inner_texts()
    assert notes and all(note.startswith("heuristic · bad-cases/silence") for note in notes)


def test_the_head_of_the_table_stays(page: Page) -> None:
    table = page.locator(".wide[aria-labelledby=policies]")
    table.evaluate("element => { element.scrollIntoView(); element.scrollTop = 600; }")
    assert table.evaluate("element => element.scrollTop") == 600
    head, box = table.locator("thead th").first.bounding_box(), table.bounding_box()
    assert head is not None and box is not None
    assert abs(head["y"] - box["y"]) < 2.0


def test_filters_narrow_the_list_and_two_policies_stand_side_by_side(page: Page) -> None:
    page.select_option("#policy", "heuristic")
    page.select_option("#suite", "bad-cases")
    notes = page.locator("#list button small").all_inner_texts()
    assert notes
    assert all(note.startswith("heuristic · bad-cases/") for note in notes)
    page.select_option("#beside", "intent-driven")
    titles = page.locator(".pane h3").all_inner_texts()
    assert [title.partition(":")[0] for title in titles] == ["heuristic", "intent-driven"]
    assert titles[0].partition(":")[2] == titles[1].partition(":")[2]
    page.evaluate("document.getElementById('transcripts-title').scrollIntoView()")
    page.locator("details.reward summary").first.click()
    assert "judge" in page.locator("details.reward[open] li").first.inner_text()
    assert page.get_by_text(re.compile(r"^Raters [1-5]\.[0-9] of 5")).count() >= 2
    keep(page, "report-transcripts")
    page.fill("#search", "no transcript has these words")
    assert page.locator("#list button").count() == 0
    assert page.locator("#count").inner_text().startswith("0 of")


def test_readings_are_shown_on_request(page: Page) -> None:
    page.locator("#list button").first.click()
    assert page.locator(".reading").count() == 0
    page.check("#readings")
    shown = page.locator(".pane").first.locator(".reading").all_inner_texts()
    assert len(shown) == page.locator(".pane").first.locator(".turn").count()
    assert all(text.startswith("Understood: ") for text in shown)
    page.uncheck("#readings")
    assert page.locator(".reading").count() == 0


def test_rule_hits_are_marked_in_the_text(page: Page) -> None:
    page.select_option("#policy", PROMISER)
    page.locator("#list button").first.click()
    assert page.locator("mark").first.inner_text() in Promiser.TEXT
    assert (page.locator("mark").first.get_attribute("title") or "").startswith("rule: ")


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#list button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = page.locator("#list button").nth(1)
    assert second.get_attribute("aria-current") == "true"
    assert second.inner_text().splitlines()[0] in page.locator(".pane h3").first.inner_text()


def test_what_a_hotel_says_stays_text(page: Page) -> None:
    page.fill("#search", "onerror")
    if not SCREENSHOTS:
        assert HOSTILE in page.locator(".pane").first.inner_text()
    assert page.title() == "Negotiation benchmark"
    assert page.locator(".pane img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, report: Path, scheme: str) -> None:
    page = browser.new_page(
        viewport={"width": 390, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    top = page.evaluate("document.getElementById('transcripts-title').getBoundingClientRect().top + scrollY")
    assert top < 4000
    assert page.evaluate("document.documentElement.scrollHeight") < 14_000
    page.locator("#list button").nth(1).click()
    pane = page.locator(".pane h3").first.bounding_box()
    assert pane is not None and 0.0 <= pane["y"] < 844
    ink, paper = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    assert (_brightness(ink) > _brightness(paper)) is (scheme == "dark")
    page.evaluate("document.getElementById('transcripts-title').scrollIntoView()")
    keep(page, f"report-phone-{scheme}")
    page.close()


def _brightness(colour: str) -> float:
    return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])
