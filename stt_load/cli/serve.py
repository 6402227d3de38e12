"""`stt-load serve`: the embedded recogniser on a port."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stt_load.audio.texts import english_texts, texts_from_json, texts_from_lines
from stt_load.clips.library import cache_folder
from stt_load.errors import ConfigError
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.embedded import EmbeddedOptions, default_decoders, run

_KEY_VARIABLE = "STT_SERVE_API_KEY"

# The least that makes sense of each number, by flag.
LEAST = {"port": 0, "max-callers": 1, "decoders": 1, "warm-up": 0, "nice": 0}


@click.command("serve", context_settings={"auto_envvar_prefix": "STT_SERVE", "show_default": True})
@click.option(
    "--dialect",
    type=click.Choice(list(SERVER_DIALECTS)),
    default="parakeet",
    show_envvar=True,
    metavar="NAME",
    help="What it speaks: `stt-load dialects` lists them.",
)
@click.option("--host", default="127.0.0.1", show_envvar=True, help="Address to listen on.")
@click.option("--port", default=8000, show_envvar=True, help="0 takes a free one; the first line printed names it.")
@click.option("--max-callers", default=64, show_envvar=True, help="Callers beyond so many are refused with HTTP 503.")
@click.option(
    "--decoders",
    type=int,
    default=default_decoders,
    show_default="2, or 1 on a single core",
    show_envvar=True,
    help="Decoding processes.",
)
@click.option("--preload/--no-preload", default=True, show_envvar=True, help="Load the model before the first caller.")
@click.option("--warm-up", default=1, show_envvar=True, help="Pieces that each decoder recognises before it is ready.")
@click.option("--nice", default=10, show_envvar=True, help="How much lower the decoders' priority is.")
@click.option(
    "--texts",
    type=click.Path(path_type=Path),
    show_default="the shipped clips",
    show_envvar=True,
    help="What callers will say, for the language model: a .txt with one text a line, or a .json list.",
)
@click.option(
    "--exit-with-parent", is_flag=True, help="Also end when standard input ends, as it does when the starter dies."
)
def command(
    dialect: str,
    host: str,
    port: int,
    max_callers: int,
    decoders: int,
    preload: bool,
    warm_up: int,
    nice: int,
    texts: Path | None,
    exit_with_parent: bool,
) -> None:
    """Run the embedded recogniser: PocketSphinx, speaking a dialect as the server of that dialect would.

    The first line printed is its URL. GET /healthz says whether it is ready and how much it has heard, GET /timings
    how fast it was; for parakeet, /ws?timings=1 adds timings to each text. STT_SERVE_API_KEY, where it is set, is
    the key that callers must show.
    """
    numbers = {"port": port, "max-callers": max_callers, "decoders": decoders, "warm-up": warm_up, "nice": nice}
    problems = [
        f"--{name} {value}: give {LEAST[name]} or more" for name, value in numbers.items() if value < LEAST[name]
    ]
    if port > 65_535:
        problems.append(f"--port {port}: give 65535 or less")
    words: list[str] = []
    try:
        words = english_texts() if texts is None else _texts(texts)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    run(
        EmbeddedOptions(
            texts=words,
            cache=cache_folder(),
            dialect=dialect,
            host=host,
            port=port,
            max_callers=max_callers,
            decoders=decoders,
            preload=preload,
            warm_up=warm_up,
            nice=nice,
            exit_with_parent=exit_with_parent,
            api_key=os.environ.get(_KEY_VARIABLE) or None,
        )
    )


def _texts(path: Path) -> list[str]:
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"--texts {path}: {why}; give a .txt with one text a line, or a .json list") from None
    texts = texts_from_json(content, str(path)) if path.suffix == ".json" else texts_from_lines(content)
    return list(texts.values())
