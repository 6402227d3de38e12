"""CONTRIBUTING.md as a test reads it: the steps of a section, and what each says to write."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PATIENCE_S = 300.0
_STEP = re.compile(r"^\d+\. (.*?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One numbered step: its words, and the block of code below them."""

    words: str
    code: str

    @property
    def path(self) -> str:
        """The first file that the step names."""
        return re.findall(r"`([\w./-]+\.\w+)`", self.words)[0]


def steps_of(heading: str) -> list[Step]:
    """The steps of one section that have code to write or to run."""
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    steps = []
    for step in _STEP.findall(section):
        words, *codes = _BLOCK.split(step, maxsplit=1)
        if codes:
            steps.append(Step(" ".join(words.split()), codes[0]))
    return steps


def follow(step: Step, folder: Path) -> None:
    """Writes a file, or adds to one at its top, or at the end of the table or below the row that the step names."""
    path = folder / step.path
    if step.words.startswith("Write "):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.code, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    table = re.search(r"at the end of `([A-Z_]+)`", step.words)
    row = re.search(r"below the row of `(\w+)`", step.words)
    if table:
        place = _end_of_table(text, table[1])
    elif row:
        place = text.index("\n", text.index(f"\n| `{row[1]}`") + 1) + 1
    elif "at the end of" in step.words:
        text, place = text + "\n\n", len(text) + 2
    else:
        place = text.index("from stt_load.dialects")
    path.write_text(text[:place] + step.code + text[place:], encoding="utf-8")


def _end_of_table(text: str, name: str) -> int:
    """Where the next row of a tuple, or of a dict made from a tuple, begins."""
    start = text.index(f"\n{name}: ")
    return min(place + 1 for mark in ("\n)\n", "\n    )\n}\n") if (place := text.find(mark, start)) > 0)


def run_commands(step: Step, folder: Path) -> str:
    """Runs the step's commands in `folder`, with this Python in place of `.venv`'s. Returns what they printed."""
    output = ""
    for line in step.code.splitlines():
        line = line.replace(".venv/bin/python", sys.executable)
        line = line.replace(".venv/bin/stt-load", f"{sys.executable} -c 'from stt_load.cli import main; main()'")
        done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        output += done.stdout
    return output


def copy_checkout(folder: Path) -> None:
    """The files of the checkout that git knows, or would know, and a repository that says what changes."""
    names = _git(CHECKOUT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in names:
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((CHECKOUT / name).read_bytes())
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")


def changed_files(folder: Path) -> list[str]:
    """The files that are new or different since the copy was made."""
    return sorted(line[3:] for line in _git(folder, "status", "--porcelain", "-uall").splitlines() if line[1] in "M?")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout
