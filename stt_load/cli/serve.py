"""`stt-load serve`: the embedded recogniser or the embedded TTS server on a port."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.core import ParameterSource

from stt_load.audio.texts import english_texts, texts_from_file
from stt_load.clips.cache_folder import cache_folder
from stt_load.errors import ConfigError
from stt_load.extras import install_command
from stt_load.process.standard_streams import print_in_background
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.embedded_recogniser import RecogniserOptions, default_decoders, run_recogniser

_KEY_VARIABLE = "STT_SERVE_API_KEY"
_PORT, _TTS_PORT = 8000, 8004  # the defaults of `stt-load run` and of `stt-load tts`

# The least that makes sense of each number, by flag.
LEAST = {"port": 0, "max-callers": 1, "decoders": 1, "warm-up": 0, "nice": 0}
_WEAKEST = 19  # setpriority(2): the kernel takes every higher niceness for this one
_RECOGNISER_ONLY = ("dialect", "decoders", "preload", "warm-up", "nice", "texts")


@click.command("serve", context_settings={"auto_envvar_prefix": "STT_SERVE", "show_default": True})
@click.option("--tts", is_flag=True, show_envvar=True, help="Serve text to speech instead: espeak, for `stt-load tts`.")
@click.option(
    "--dialect",
    type=click.Choice(list(SERVER_DIALECTS)),
    default="parakeet",
    show_envvar=True,
    metavar="NAME",
    help="The protocol to speak: `stt-load dialects` lists them.",
)
@click.option("--host", default="127.0.0.1", show_envvar=True, help="Address to listen on.")
@click.option(
    "--port",
    type=int,
    show_default=f"{_PORT}, or {_TTS_PORT} with --tts",
    show_envvar=True,
    help="0 takes a free one; the first line printed names it.",
)
@click.option("--max-callers", default=64, show_envvar=True, help="Callers at the same time; more are turned away.")
@click.option(
    "--decoders",
    type=int,
    default=default_decoders,
    show_default="2, or 1 on a single core",
    show_envvar=True,
    help="Decoding processes.",
)
@click.option("--preload/--no-preload", default=True, show_envvar=True, help="Load the model before the first caller.")
@click.option(
    "--warm-up", default=1, show_envvar=True, help="Segments that each decoder recognises before it is ready."
)
@click.option(
    "--nice", default=10, show_envvar=True, help="Niceness added to the decoders: the higher, the lower their priority."
)
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
    tts: bool,
    dialect: str,
    host: str,
    port: int | None,
    max_callers: int,
    decoders: int,
    preload: bool,
    warm_up: int,
    nice: int,
    texts: Path | None,
    exit_with_parent: bool,
) -> None:
    """Run the embedded recogniser: PocketSphinx behind the protocol of the dialect that you choose.

    The first line printed is its URL. GET /healthz says whether it is ready and how much audio it has received, GET
    /timings how fast it was; for parakeet, /ws?timings=1 adds timings to each text. If STT_SERVE_API_KEY is set,
    callers must send that key.

    With --tts it is a text-to-speech server instead: espeak behind POST /tts (Chatterbox) and POST /v1/audio/speech
    (OpenAI). Try it with `stt-load tts`.
    """
    print_in_background()
    port = (_TTS_PORT if tts else _PORT) if port is None else port
    numbers = {"port": port, "max-callers": max_callers, "decoders": decoders, "warm-up": warm_up, "nice": nice}
    problems = [
        f"--{name} {value}: give {LEAST[name]} or more" for name, value in numbers.items() if value < LEAST[name]
    ]
    if nice > _WEAKEST:
        problems.append(f"--nice {nice}: give {_WEAKEST} or less")
    if port > 65_535:
        problems.append(f"--port {port}: give 65535 or less")
    key = os.environ.get(_KEY_VARIABLE) or None
    if tts:
        problems += [f"--{name}: is for the recogniser; leave it out with --tts" for name in _given(_RECOGNISER_ONLY)]
        if problems:
            raise ConfigError(problems)
        _serve_tts(host, port, max_callers, key, exit_with_parent)
        return
    words: list[str] = []
    try:
        words = english_texts() if texts is None else list(texts_from_file(texts).texts.values())
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    run_recogniser(
        RecogniserOptions(
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
            api_key=key,
        )
    )


def _given(names: tuple[str, ...]) -> list[str]:
    """Those of the options that stand on the command line."""
    context = click.get_current_context()
    sources = {name: context.get_parameter_source(name.replace("-", "_")) for name in names}
    return [name for name, source in sources.items() if source is ParameterSource.COMMANDLINE]


def _serve_tts(host: str, port: int, max_callers: int, key: str | None, exit_with_parent: bool) -> None:
    try:
        from stt_load.server.embedded_tts import run_tts
    except ImportError:
        raise ConfigError(f"the TTS server is not installed: {install_command('demo')}") from None
    run_tts(host, port, max_callers, key, exit_with_parent)
