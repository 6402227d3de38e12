"""The summary of a CI job: GitHub shows the Markdown that a step appends to the file that `GITHUB_STEP_SUMMARY` names.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands (2026-11). GitLab and others have
no such file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stt_load.process.log import log

STEP_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


def append_step_summary(markdown: str, environment: Mapping[str, str]) -> None:
    """Appends a report to the job's summary, where there is one. A file that can't be written costs a warning."""
    path = environment.get(STEP_SUMMARY_VARIABLE)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{markdown}\n")
    except OSError as error:
        log.warning("%s: %s can't be written: %s", STEP_SUMMARY_VARIABLE, path, error.strerror)
