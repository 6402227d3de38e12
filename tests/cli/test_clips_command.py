from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from stt_load.cli.clips import command
from stt_load.errors import ConfigError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path / "cache"))


def clips(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(command, [str(argument) for argument in arguments])


def problems_of(result: Result) -> tuple[str, ...]:
    assert isinstance(result.exception, ConfigError), result.output
    return result.exception.problems


def test_texts_are_spoken_into_a_folder_that_show_lists(tmp_path: Path) -> None:
    texts, out = tmp_path / "texts.txt", tmp_path / "out"
    texts.write_text("Thank you for calling.\n\nPlease hold [the line].\n")
    made = clips("make", "--texts", texts, "--out", out)
    assert made.exit_code == 0, made.output
    assert made.output.startswith("2 clips, ") and str(out) in made.output
    shown = clips("show", out)
    assert shown.exit_code == 0
    assert "text-01" in shown.output and "Thank you for calling." in shown.output
    assert "Please hold [the line]." in shown.output
    assert "22050" in shown.output
    layout, summary = shown.output.splitlines()[-2:]
    assert layout == "read as stt-load, clips.jsonl" and summary.startswith("2 clips, ")


def test_json_texts_keep_their_ids_and_the_voice_is_written_down(tmp_path: Path) -> None:
    texts, out = tmp_path / "texts.json", tmp_path / "out"
    texts.write_text('{"greeting": "Good evening."}')
    assert clips("make", "--from", "espeak", "--voice", "en", "--texts", texts, "--out", out).exit_code == 0
    (row,) = [json.loads(line) for line in (out / "clips.jsonl").read_text().splitlines()]
    assert (row["clip_id"], row["source"]["engine"], row["source"]["voice"]) == ("greeting", "espeak", "en")


def test_the_shipped_standard_texts_are_made_by_name(tmp_path: Path) -> None:
    assert clips("make", "--texts", "standard", "--out", tmp_path / "out").exit_code == 0
    assert "standard-ultra_short" in clips("show", tmp_path / "out").output


def test_show_without_a_folder_renders_and_lists_the_shipped_clips(tmp_path: Path) -> None:
    shown = clips("show", "--with-standard")
    assert shown.exit_code == 0, shown.output
    assert "english-01" in shown.output and "standard-long" in shown.output
    assert (tmp_path / "cache" / "clips").is_dir()


def test_every_wrong_option_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    told = problems_of(clips("make", "--from", "festival", "--texts", tmp_path / "gone.txt", "--out", tmp_path / "out"))
    assert len(told) == 3
    assert "unknown TTS engine 'festival'" in told[0]
    assert "gone.txt: No such file" in told[1]
    assert "is not empty" in told[2]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"\n \n", "has no texts"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"[]", "has no texts"),
        ("a.txt", b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_texts_file_that_holds_none_is_one_line(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    (problem,) = problems_of(clips("make", "--texts", tmp_path / name, "--out", tmp_path / "out"))
    assert reason in problem and "\n" not in problem


def test_show_of_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (problem,) = problems_of(clips("show", tmp_path / "gone"))
    assert "does not exist" in problem


STT_LOAD = Path(sys.executable).parent / "stt-load"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_make_says_what_is_done_leaves_no_folder_and_goes_on(tmp_path: Path, number: int) -> None:
    """The server speaks two texts and then waits, until the command is told to stop."""
    rate_hz, speech = 16000, io.BytesIO()
    soundfile.write(speech, 0.5 * np.sin(np.arange(rate_hz) / 6), rate_hz, format="WAV")
    asked: list[bytes] = []
    third, is_over = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["content-length"])))
            if len(asked) == 3:
                third.set()
                is_over.wait(60)
            self.send_response(200)
            self.send_header("content-length", str(len(speech.getvalue())))
            self.end_headers()
            self.wfile.write(speech.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    texts, out, cache = tmp_path / "texts.txt", tmp_path / "out", tmp_path / "cache"
    texts.write_text("One.\nTwo.\nThree.\nFour.\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    line = [STT_LOAD, "clips", "make", "--from", "openai", "--url", url, "--texts", texts, "--out", out]
    child = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert third.wait(60)
        child.send_signal(number)
        said, told = child.communicate(timeout=60)
        is_over.set()
        assert (child.returncode, said) == (5, "")
        assert told == (
            f"interrupted: 2 of 4 texts were spoken, and {out} was not made; "
            f"what the server has spoken is kept in {cache / 'tts'}: run it again for the rest\n"
        )
        assert sorted(file.name for file in tmp_path.iterdir()) == ["cache", "texts.txt"]
        again = subprocess.run(line, capture_output=True, text=True, timeout=60)
        assert again.returncode == 0, again.stderr
        assert len(asked) == 5 and len(set(asked)) == 4
    finally:
        is_over.set()
        child.kill()
        child.communicate()
        server.shutdown()
        server.server_close()


def test_it_is_said_which_column_the_texts_are_from(tmp_path: Path) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("id,sentence\na,Thank you.\n")
    made = clips("make", "--texts", texts, "--out", tmp_path / "out")
    assert made.exit_code == 0 and f"1 texts, from `sentence` of {texts}" in made.stderr
    assert (tmp_path / "out" / "a.wav").exists()


def test_a_text_with_what_unicode_calls_a_line_end_is_made_and_read(tmp_path: Path) -> None:
    texts = tmp_path / "texts.json"
    texts.write_text('["Please hold\\u2028the line.", "Thank\\u0085you, \\ud83d."]')
    assert clips("make", "--texts", texts, "--out", tmp_path / "out").exit_code == 0
    assert "2 clips" in clips("show", tmp_path / "out").output


def test_the_bounds_are_drawn_instead_of_the_table_and_what_is_uncertain_is_a_note(tmp_path: Path) -> None:
    assert clips("make", "--texts", "standard", "--out", tmp_path / "out").exit_code == 0
    shown = clips("show", "--bounds", tmp_path / "out")
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("├") == shown.output.count("  given  ") == 5
    assert "note: where speech ends" not in shown.output
    (tmp_path / "out" / "clips.jsonl").unlink()
    for wav in (tmp_path / "out").glob("*.wav"):
        samples, rate_hz = soundfile.read(wav)
        soundfile.write(wav, samples[: -rate_hz // 4], rate_hz)
        wav.with_suffix(".txt").write_text("words")
    shown = clips("show", "--bounds", tmp_path / "out")
    assert "note: where speech ends is uncertain in 5 of 5 clips" in shown.output
    assert "--strict-bounds" not in shown.output
