"""`junit.xml`: what CI systems show. One suite a stage, one case per SLO and per validity condition.

A missed SLO is a failure of the server, a broken condition an error of the measurement, and so is an SLO that had to
be decided and is not (all of them with --strict). An SLO is skipped where it is met without a proof, and in a stage
that can't be believed. The first suite is the run itself: it is an error if it was ended early.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from stt_load.kinds import LoadKind
from stt_load.metrics.slo import SloResult, SloVerdict
from stt_load.metrics.validity import Finding
from stt_load.report.failure_table import failure_line
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.wording import callers, judged, knee_sentence, title
from stt_load.text.printable import printable


def junit_xml(report: RunReport) -> str:
    """Writes the whole file as text."""
    root = ET.Element("testsuites", name=f"stt-load {title(report)}".strip())
    root.append(_run_suite(report))
    for stage in report.stages:
        root.append(_stage_suite(stage, report.kind))
    for element in root.iter():  # XML has no way at all to write most control characters
        element.attrib.update({name: printable(value) for name, value in element.attrib.items()})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _run_suite(report: RunReport) -> ET.Element:
    sentence = knee_sentence(report.knee, report.kind)
    case = ET.Element("testcase", classname="run", name="came to its end")
    if report.knee.ended_at is not None:
        ET.SubElement(case, "error", message=sentence)
    suite = _suite("run", [case])
    _add_output(suite, [f"{report.verdict}: {sentence}"])
    return suite


def _stage_suite(stage: StageReport, kind: LoadKind) -> ET.Element:
    name = f"stage {stage.figures.stage}: {callers(stage.users, kind)}"
    cases = [_slo_case(name, stage, result) for result in stage.slos]
    suite = _suite(name, cases + [_validity_case(name, finding) for finding in stage.findings])
    _add_output(suite, [failure_line(failure, stage) for failure in stage.figures.failures])
    return suite


def _add_output(suite: ET.Element, lines: Sequence[str]) -> None:
    if lines:
        ET.SubElement(suite, "system-out").text = "\n".join(map(printable, lines))


def _suite(name: str, cases: Sequence[ET.Element]) -> ET.Element:
    counts = {f"{tag}s": sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error")}
    skipped = sum(case.find("skipped") is not None for case in cases)
    suite = ET.Element("testsuite", name=name, tests=str(len(cases)), skipped=str(skipped))
    suite.attrib.update({tag: str(count) for tag, count in counts.items()})
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
