"""The summary of a CI job: GitHub shows the Markdown that a step appends to the file that `GITHUB_STEP_SUMMARY` names.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands (2026-11). GitLab and others have
no such file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stt_load.process.log import log
from stt_load.text.whole_characters import with_whole_characters

STEP_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_MOST_BYTES = 1 << 20  # for all that one step writes


def append_step_summary(markdown: str, environment: Mapping[str, str]) -> None:
    """Appends a report to the job's summary, where there is one. A file that can't be written, or would be too
    large, costs a warning."""
    path = environment.get(STEP_SUMMARY_VARIABLE)
    if not path:
        return
    text = f"{with_whole_characters(markdown)}\n".encode()
    try:
        with Path(path).open("ab") as file:
            if file.tell() + len(text) > _MOST_BYTES:
                log.warning(
                    "%s: %s would be larger than 1 MiB, and GitHub would show none of it", STEP_SUMMARY_VARIABLE, path
                )
                return
            file.write(text)
    except OSError as error:
        log.warning("%s: %s can't be written: %s", STEP_SUMMARY_VARIABLE, path, error.strerror)
