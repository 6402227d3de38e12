"""`stt-load compare BEFORE AFTER`: results beside each other, and what of it is noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import click

from stt_load.cli.output_files import check_output_files, write_output_files
from stt_load.comparison.compare import Comparison, FailOn, compare
from stt_load.comparison.console import print_comparison
from stt_load.comparison.html import comparison_html
from stt_load.comparison.json_form import comparison_json
from stt_load.comparison.markdown import comparison_markdown
from stt_load.comparison.sources import paths_of, read_sides
from stt_load.comparison.targets import read_targets, shipped, targets_of
from stt_load.comparison.wording import void_lines
from stt_load.errors import ConfigError
from stt_load.process.standard_streams import require_output

_NONE = "none"

_FORMS: dict[str, Callable[[Comparison, Sequence[FailOn]], str]] = {
    "markdown": comparison_markdown,
    "html": comparison_html,
    "json": comparison_json,
}


@click.command("compare")
@click.argument("results", metavar="BEFORE AFTER [MORE…]", nargs=-1)
@click.option("--targets", metavar="FILE", help="Targets to judge by, or the name of a file that stt-load comes with.")
@click.option("--print-targets", metavar="NAME", help="Print such a file, so that you can write your own, and end.")
@click.option(
    "--at", metavar="CALLERS", help="The number of callers (or the text) of the box, where targets are judged."
)
@click.option("--anyway", is_flag=True, help="Compare results that have measured different things.")
@click.option("--markdown", metavar="FILE", help="Also write it as Markdown, for a pull request.")
@click.option("--html", metavar="FILE", help="Also write it as one page.")
@click.option("--json", metavar="FILE", help="Also write it as data; - prints that, and nothing else.")
@click.option(
    "--fail-on",
    metavar="WHAT",
    default=",".join(FailOn),
    show_default=True,
    help=f"What ends with exit code 3; {_NONE}: nothing does.",
)
def command(
    results: tuple[str, ...],
    targets: str | None,
    print_targets: str | None,
    at: str | None,
    anyway: bool,
    fail_on: str,
    **files: str | None,
) -> int:
    """Compare results: BEFORE, AFTER, and more if you like.

    Each is a run folder, or the result file of `stt-load tts`. Several with commas between them are repeats of one
    thing: A1,A2,A3 B1,B2,B3. A change is told only where it is larger than the noise.

    Ends with 3 where a target is missed or a change for the worse is certain, with 4 where a result is not to be
    believed.
    """
    if print_targets is not None:
        click.echo(_shipped(print_targets), nl=False)
        return 0
    check_output_files(files, [*(path for side in results for path in paths_of(side)), targets])
    reasons = _fail_on(fail_on)
    asked = read_targets(targets) if targets is not None else ()
    sides = read_sides(results, [target.measure for target in asked])
    comparison = compare(sides, asked or targets_of(sides[-1].slos), at)
    voids = void_lines(comparison)
    if voids and not anyway:
        raise ConfigError([*(f"these results have measured different things: {line}" for line in voids), _ANYWAY])
    if asked and comparison.is_believed and not comparison.has_judged_target:
        raise ConfigError(f"--targets {targets}: these results have none of the figures that it has targets for")
    forms = {form: partial(write, comparison, reasons) for form, write in _FORMS.items()}
    if not write_output_files(files, forms):
        print_comparison(comparison, reasons)
    require_output()
    return int(comparison.exit_code(reasons))


_ANYWAY = "make them again with the same of that, or give --anyway to see the figures beside each other"


def _shipped(name: str) -> str:
    known = shipped()
    if name not in known:
        raise ConfigError(f"--print-targets {name}: stt-load comes with {', '.join(known)}")
    return known[name]


def _fail_on(text: str) -> tuple[FailOn, ...]:
    words = [word.strip() for word in text.split(",")]
    if words == [_NONE]:
        return ()
    choices = {str(reason): reason for reason in FailOn}
    if not all(word in choices for word in words):
        raise ConfigError(f"--fail-on {text}: write {' or '.join(choices)}, both with a comma between them, or {_NONE}")
    return tuple(choices[word] for word in words)
