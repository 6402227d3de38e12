"""`stt-load score`: the figures of a file of transcripts, the worst of them word by word, and bad files in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made_run import made_run, utterance
from small_disk import set_room

from stt_load.cli.score import command
from stt_load.errors import ConfigError
from stt_load.metrics.stage import StageStats

pytestmark = pytest.mark.slow

ENGLISH = """\
{"ref": "Please send me a copy of my last three bills.", "hyp": "please send me copy of my last three red bills"}
{"ref": "It costs forty-five dollars.", "hyp": "it costs $45"}
{"ref": "", "hyp": "thank you"}
{"ref": "Good morning.", "hyp": null}
"""
CHINESE = "\ufeffid;ref;hyp\r\n1;今天，天气很好！;今天天氣很好\r\n2;请用ＵＳＢ线。;请用 usb\r\n"


def scored(folder: Path, text: str, *options: str) -> str:
    file = folder / "texts"
    file.write_text(text, encoding="utf-8", newline="")
    result = CliRunner().invoke(command, [str(file), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def as_data(folder: Path, text: str, *options: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(scored(folder, text, "--json", *options))
    return data


def cells(output: str) -> dict[str, str]:
    """The printed table: what stands below each heading."""
    headings, row = output.splitlines()[:2]
    return dict(zip(re.split(r" {2,}", headings.strip()), row.split(), strict=True))


def test_the_table_has_both_rates_of_corpus_and_mean_row(tmp_path: Path) -> None:
    assert cells(scored(tmp_path, ENGLISH)) == {
        "rows": "4",
        "corpus WER%": "40.00",  # 6 of 15
        "95 % interval": "-",
        "mean WER%": "40.00",  # of 20 %, 0 and 100 %
        "corpus CER%": "42.19",  # 27 of 64
        "mean CER%": "38.33",
        "S": "0",
        "D": "3",
        "I": "3",
        "of words": "15",
    }


def test_of_chinese_the_character_error_rate_is_the_only_headline(tmp_path: Path) -> None:
    output = scored(tmp_path, CHINESE)
    table = cells(output)
    assert table == {
        "rows": "2",
        "corpus CER%": "16.67",
        "95 % interval": "-",
        "mean CER%": "16.67",
        "S": "1",
        "D": "1",
        "I": "0",
        "of characters": "12",
    }
    assert "WER%" not in output
    assert "scored as Chinese (zh), guessed: 90% of the references' characters and words are Chinese" in output
    assert "--language names another" in output
    assert "so WER is CER" in output


def test_latin_words_in_chinese_count_whole_where_that_is_asked_for(tmp_path: Path) -> None:
    output = scored(tmp_path, CHINESE, "--normaliser", "mixed")
    assert cells(output)["corpus MER%"] == "20.00"
    assert cells(output)["corpus CER%"] == "16.67"
    assert "normaliser mixed, as you asked" in output


def test_a_language_can_be_named_and_is_told(tmp_path: Path) -> None:
    german = "ref,hyp\nWir treffen uns um acht Uhr,Wir treffen uns acht Uhr\n"
    guessed = scored(tmp_path, german)
    assert "scored as German (de), guessed: 50% of the references' words are among the commonest of German" in guessed
    assert cells(guessed)["D"] == "1"
    asked = scored(tmp_path, german, "--language", "en")
    assert "scored as English (en), as you asked" in asked
    assert cells(asked)["D"] == "0"  # "um" is a filler there
    assert as_data(tmp_path, german, "--language", "de-AT")["language"]["code"] == "de"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--language", "xx"), "--language: 'xx' is no language"),
        (("--language", "de", "--normaliser", "basic"), "give one of them"),
    ],
)
def test_a_language_that_cannot_be_used_is_one_line(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    (tmp_path / "texts").write_text(ENGLISH)
    with pytest.raises(ConfigError, match=re.escape(told)):
        CliRunner().invoke(command, [str(tmp_path / "texts"), *options], catch_exceptions=False)


def test_tags_of_the_model_are_counted_and_no_words(tmp_path: Path) -> None:
    row = {"ref": "今天天气很好", "hyp": "<|zh|><|NEUTRAL|><|Speech|><|woitn|>今天天气很好"}
    output = scored(tmp_path, json.dumps(row))
    assert cells(output)["corpus CER%"] == "0.00"
    assert "1 row with tags of the model in the transcript" in output
    assert as_data(tmp_path, json.dumps(row))["rows_with_model_tags"] == 1


def test_an_interval_stands_beside_the_rate_once_there_are_enough_references(tmp_path: Path) -> None:
    rows = "".join(f"lamp number {n} is on,lamp number {n} is{' on' * (n % 2)}\n" for n in range(40))
    data = as_data(tmp_path, f"ref,hyp\n{rows}")
    low, high = data["corpus_wer_interval"]
    assert low < data["corpus_wer"] < high
    assert cells(scored(tmp_path, f"ref,hyp\n{rows}"))["95 % interval"] == f"{100 * low:.2f}–{100 * high:.2f}"
    assert "no interval: it needs 5 different references, and there are 4" in scored(tmp_path, ENGLISH)


def test_a_pipe_is_read_as_a_file_is(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from stt_load.cli import main; main()", "score", "/dev/stdin", "--json"]
    done = subprocess.run(program, input=ENGLISH.encode(), capture_output=True, timeout=60)
    assert json.loads(done.stdout)["corpus_wer"] == as_data(tmp_path, ENGLISH)["corpus_wer"]


def test_a_pipe_that_finds_no_room_is_one_line(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from stt_load.cli import main; main()", "score", "/dev/stdin"]
    done = subprocess.run(
        program,
        input=ENGLISH,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=partial(set_room, 10),
    )
    assert done.returncode == 1
    line = f"error: /dev/stdin: no room for a copy in {tmp_path}: File too large; name another in TMPDIR\n"
    assert done.stderr == line


def test_the_worst_stand_first_word_below_word(tmp_path: Path) -> None:
    blocks = scored(tmp_path, ENGLISH).split("\n\n")[2:]
    assert [block.splitlines()[0] for block in blocks] == [
        "line 3: empty reference, 2 wrong of 0 (S 0, D 0, I 2)",
        "line 4: WER 100.00 %, 2 wrong of 2 (S 0, D 2, I 0)",
        "line 1: WER 20.00 %, 2 wrong of 10 (S 0, D 1, I 1)",
    ]
    assert blocks[2].splitlines()[1:] == [
        "  ref  please send me a copy of my last 3 *   bills",
        "  hyp  please send me * copy of my last 3 red bills",
        "                      D                   I",
    ]


def test_wide_characters_stand_below_each_other_too(tmp_path: Path) -> None:
    lines = scored(tmp_path, CHINESE, "--worst", "1").splitlines()[-3:]
    assert lines == ["  ref  今 天 天 气 很 好", "  hyp  今 天 天 氣 很 好", "                S"]


def test_a_long_text_is_folded_and_control_signs_stay_out_of_the_terminal(tmp_path: Path) -> None:
    row = json.dumps({"ref": "lamp " * 60, "hyp": "lamp " * 59 + "\x1b[31m"})
    output = scored(tmp_path, row)
    assert "\x1b" not in output
    assert max(map(len, output.splitlines()[-9:])) <= 110
    assert output.count("  ref ") == 3


def test_what_was_left_out_of_the_mean_and_what_was_silent_is_said(tmp_path: Path) -> None:
    output = scored(tmp_path, ENGLISH, "--worst", "0")
    assert "1 row without a word in the reference: words in the transcript count as insertions there" in output
    assert "1 row without a word in the transcript" in output
    assert "line " not in output


def test_a_file_without_errors_says_so(tmp_path: Path) -> None:
    assert "no errors" in scored(tmp_path, "ref,hyp\nGood morning!,good morning\n")


def test_json_has_every_figure_and_the_counts_of_every_row(tmp_path: Path) -> None:
    data = as_data(tmp_path, ENGLISH, "--worst", "2")
    assert (data["rows"], data["rows_without_reference"], data["rows_without_transcript"]) == (4, 1, 1)
    assert data["corpus_wer"] == 6 / 15
    assert data["normaliser"]["name"] == "english"
    assert [case["line"] for case in data["worst"]] == [3, 4]
    assert data["worst"][0]["alignment"] == [[None, "thank"], [None, "you"]]
    assert [row["line"] for row in data["scores"]] == [1, 2, 3, 4]
    assert [row["wer"] for row in data["scores"]] == [0.2, 0.0, None, 1.0]


def test_of_chinese_json_says_that_both_rates_are_of_characters(tmp_path: Path) -> None:
    data = as_data(tmp_path, CHINESE)
    assert data["corpus_wer"] == data["corpus_cer"] == 2 / 12
    assert (data["normaliser"]["rate"], data["normaliser"]["words_are"]) == ("CER", "characters")


def test_a_part_of_a_soak_that_is_missing_is_missed(tmp_path: Path) -> None:
    row = ENGLISH.splitlines(keepends=True)[0]
    for name in ("utterances.jsonl", "utterances-0002.jsonl", "utterances-0005.jsonl"):
        (tmp_path / name).write_text(row, encoding="utf-8")
    done = CliRunner().invoke(command, [str(tmp_path / "utterances.jsonl")], catch_exceptions=False)
    assert cells(done.stdout)["rows"] == "3"
    assert done.stderr == "utterances-0003.jsonl is missing, and 1 more: these rows are not scored\n"


def test_a_run_scores_as_its_report_does(tmp_path: Path) -> None:
    ramp, cut = utterance(0, 5, phase="ramp"), utterance(0, 5, 1, outcome="timed_out", text="")
    records = [*made_run(ladder=(5,), per_stage=40).utterances, ramp, cut]
    stage = StageStats(0, 5)
    stage.add(records)
    figures = stage.close()
    data = as_data(tmp_path, "\n".join(record.to_json().decode() for record in records))
    assert (data["corpus_wer"], data["corpus_cer"]) == (figures.wer, figures.cer)
    assert data["corpus_wer"] > 0
    assert data["keys"] == {"reference": "reference", "transcript": "text"}
    assert (data["rows"], data["rows_not_counted"]) == (40, 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "there is no row in it"),
        (b"\xff\xfer\0e\0f\0", "is not UTF-8"),
        (b"one,two\na,b\n", "name the keys with --ref-key and --hyp-key"),
        (b'ref,hyp\n"a,b\n', "line 2: not CSV"),
        (b'{"ref":' + b"[" * 10_000, "line 1: not JSON (nested too deep)"),
    ],
)
def test_a_file_that_cannot_be_scored_is_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "texts.csv"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        CliRunner().invoke(command, [str(file)], catch_exceptions=False)
    (line,) = error.value.problems
    assert line.startswith(str(file))
    assert told in line


def test_the_wrong_file_ends_the_program_with_2(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from stt_load.cli import main; main()", "score"]
    for name, told in ((str(tmp_path), "is a folder"), (str(tmp_path / "none"), "No such file")):
        done = subprocess.run([*program, name], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_of_a_long_row_only_errors_are_shown_and_no_more_than_a_screen_or_two(tmp_path: Path) -> None:
    words = [f"word{n}" for n in range(20_000)]
    few = scored(tmp_path, json.dumps({"ref": " ".join(words), "hyp": " ".join([*words[:-1], "last"])}))
    assert "word19999" in few and "word0 " not in few and len(few.splitlines()) < 20
    (left_out,) = [line for line in few.splitlines() if "not shown" in line]
    shown = next(line for line in few.splitlines() if line.startswith("  ref ")).split()[1:]
    assert left_out == f"  not shown: {20_000 - len(shown):,} more words, 0 of them wrong (--json has every one)"

    heard = [f"wrong{n}" if n % 4 == 0 else word for n, word in enumerate(words)]
    text = json.dumps({"ref": " ".join(words), "hyp": " ".join(heard)})
    many = scored(tmp_path, text)
    assert len(many.splitlines()) < 150 and re.search(r"not shown: 19,\d+ more words, 4,\d+ of them wrong", many)
    assert len(as_data(tmp_path, text)["worst"][0]["alignment"]) == 20_000


def test_a_word_without_end_is_cut(tmp_path: Path) -> None:
    output = scored(tmp_path, json.dumps({"ref": "a" * 5_000, "hyp": "b"}))
    assert f"  ref  {'a' * 79}…\n" in output
