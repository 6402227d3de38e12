"""`junit.xml`: what CI systems show. One suite a stage, one case per SLO and per validity condition.

A missed SLO is a failure of the server, a broken condition an error of the measurement, and so is an SLO that had to
be decided and is not (all of them with --strict). An SLO is skipped where it is met without a proof, and in a stage
that can't be believed. The first suite is the run itself: it is an error if it was ended early. In a search it has the
answer too; its trials are to miss objectives, so whatever one misses is skipped.

`time` of a suite is the length of the hold, of the run's suite that of the whole run, in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from stt_load.metrics.slo import SloResult, SloVerdict
from stt_load.metrics.validity import Finding
from stt_load.report.capacity_run import first_users
from stt_load.report.capacity_wording import headline
from stt_load.report.failure_table import failure_line
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.wording import callers, judged, names_of, title
from stt_load.text.printable import printable


def junit_xml(report: RunReport) -> str:
    """Writes the whole file as text."""
    root = ET.Element("testsuites", name=f"stt-load {title(report)}".strip())
    root.append(_run_suite(report))
    names = names_of(report.stages)
    for stage in report.stages:
        root.append(_stage_suite(stage, callers(names[stage.figures.stage], report.kind)))
    for element in root.iter():  # XML has no way at all to write most control characters
        element.attrib.update({name: printable(value) for name, value in element.attrib.items()})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _run_suite(report: RunReport) -> ET.Element:
    sentence = headline(report)
    case = ET.Element("testcase", classname="run", name="came to its end")
    if report.knee.ended_at is not None:
        ET.SubElement(case, "error", message=sentence)
    cases = [case, *_answer_cases(report, sentence)]
    began, ended = report.run.get("started_at"), report.run.get("ended_at")
    suite = _suite("run", cases, (began, ended) if began and ended else None)
    if time_s := suite.get("time"):
        case.set("time", time_s)
    _add_output(suite, [f"{report.verdict}: {sentence}"])
    return suite


def _answer_cases(report: RunReport, sentence: str) -> list[ET.Element]:
    """One case where the run was a search: it holds the number of callers with which that began."""
    if report.capacity is None:
        return []
    case = ET.Element("testcase", classname="run", name=f"holds {callers(first_users(report.run), report.kind)}")
    if report.verdict is not Verdict.PASS:
        ET.SubElement(case, "failure" if report.verdict is Verdict.FAIL else "error", message=sentence)
    return [case]


def _stage_suite(stage: StageReport, name: str) -> ET.Element:
    cases = [_slo_case(name, stage, result) for result in stage.slos]
    cases += [_validity_case(name, finding) for finding in stage.findings]
    if stage.trial is not None:
        for found in (each for case in cases for each in case):
            found.tag = "skipped"
    suite = _suite(name, cases, stage.hold_span)
    properties = ET.Element("properties")
    for key in ("users", "n", "errors"):
        ET.SubElement(properties, "property", name=key, value=str(getattr(stage.figures, key)))
    ET.SubElement(properties, "property", name="verdict", value=stage.mark)
    suite.insert(0, properties)
    _add_output(suite, [failure_line(failure, stage.figures.n) for failure in stage.figures.failures])
    return suite


def _add_output(suite: ET.Element, lines: Sequence[str]) -> None:
    if lines:
        ET.SubElement(suite, "system-out").text = "\n".join(map(printable, lines))


def _suite(name: str, cases: Sequence[ET.Element], span: tuple[float, float] | None) -> ET.Element:
    """A suite of cases. `span`: when it began and ended, seconds since 1970; None where that isn't known."""
    counts = {f"{tag}s": sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error")}
    skipped = sum(case.find("skipped") is not None for case in cases)
    suite = ET.Element("testsuite", name=name, tests=str(len(cases)), skipped=str(skipped))
    suite.attrib.update({tag: str(count) for tag, count in counts.items()})
    if span is not None:
        began, ended = span
        suite.attrib.update(time=f"{ended - began:.3f}", timestamp=datetime.fromtimestamp(began, UTC).isoformat())
    suite.extend(cases)
    return suite


def _slo_case(name: str, stage: StageReport, result: SloResult) -> ET.Element:
    case = ET.Element("testcase", classname=name, name=result.slo.text)
    if result in stage.missed:
        ET.SubElement(case, "failure", message=judged(result))
    elif result in stage.left_open:
        ET.SubElement(case, "error", message=judged(result))
    elif result.verdict is SloVerdict.UNDECIDED or stage.verdict in (Verdict.INVALID, Verdict.EMPTY):
        ET.SubElement(case, "skipped", message=judged(result))
    return case


def _validity_case(name: str, finding: Finding) -> ET.Element:
    case = ET.Element("testcase", classname=name, name=finding.condition)
    if not finding.is_met:
        ET.SubElement(case, "error", message=f"{finding.detail}: {finding.advice}")
    return case
