"""What happens when a run ends: every report file, the table on the console, the copy, the exit code."""

from __future__ import annotations

from pathlib import Path

from stt_load.errors import ExitCode


def close_run(folder: Path, output: str | None) -> ExitCode:
    from stt_load.report.folder import write_report
    from stt_load.report.sizing import exit_code

    report = write_report(folder)
    return exit_code(report)
