"""References and transcripts out of a file, as people's tools write it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.errors import ConfigError
from stt_load.metrics.pairs import Pair, read_pairs


@pytest.mark.parametrize(
    "text",
    [
        '{"ref": "REF", "hyp": "HYP"}\n',
        '\n{"hyp": "HYP", "n": 1, "ref": "REF"}',
        '\ufeff{"reference": "REF", "text": "HYP"}\r\n',
        '{"text": "REF", "pred_text": "HYP", "duration": 2.5}',
        'ref,hyp\n"REF",HYP\n',
        'ref,hyp\r\n"REF",HYP\r\n\r\n',
        '\ufeffid;ref;hyp\r\n"1, a";REF;HYP\r\n',
        "id;ref;hyp;;\r\n1;REF;HYP;;\r\n",
        "sep=;\r\nref;hyp\r\nREF;HYP\r\n",
        "reference\thypothesis\nREF\tHYP\n",
        'hyp , ref\nHYP,"REF"',
    ],
)
def test_it_is_found_however_it_was_written(text: str) -> None:
    reference, transcript = "The lamp is on, isn't it?", "the lamp is on"
    (pair,) = read_pairs(text.replace("REF", reference).replace("HYP", transcript)).pairs
    assert (pair.reference, pair.transcript) == (reference, transcript)


def test_a_line_is_told_by_where_it_begins() -> None:
    read = read_pairs('ref,hyp\n"one\ntwo",x\n"say ""three""",y\n')
    assert read.pairs == (Pair(2, "one\ntwo", "x"), Pair(4, 'say "three"', "y"))


def test_keys_can_be_named() -> None:
    text = '{"text": "a", "pred_text": "b", "ref": "c", "hyp": "d"}'
    assert read_pairs(text).keys == ("ref", "hyp")
    assert read_pairs(text, "text").keys == ("text", "hyp")
    assert read_pairs(text, None, "pred_text").pairs == (Pair(1, "c", "b"),)
    assert read_pairs("said;heard\na;b", "said", "heard").pairs == (Pair(2, "a", "b"),)


def test_one_key_is_never_both() -> None:
    with pytest.raises(ConfigError, match="--hyp-key"):
        read_pairs('{"text": "a"}', "text")


def test_nothing_is_an_empty_text_and_a_number_its_digits() -> None:
    assert read_pairs('{"ref": null, "hyp": 42}').pairs == (Pair(1, "", "42"),)
    assert read_pairs("ref,hyp\n,\nlamp,\n").pairs == (Pair(3, "lamp", ""),)
    assert read_pairs('{"ref": "\\ud83d", "hyp": ""}').pairs == (Pair(1, "?", ""),)


def test_of_a_run_the_completed_utterances_of_a_hold_count() -> None:
    row = {"run_id": "r", "phase": "hold", "outcome": "ok", "reference": "lamp", "text": "lamp"}
    rows = [row, row | {"phase": "ramp"}, row | {"outcome": "timed_out"}, row | {"outcome": "interrupted"}]
    read = read_pairs("\n".join(map(json.dumps, rows)))
    assert (len(read.pairs), read.not_counted) == (1, 3)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["there is no row"]),
        ("ref,hyp\n", ["there is no row"]),
        ("one,two\na,b\n", ["there is no `ref` and `hyp`"]),
        ('{"ref": "a"}', ["there is no `ref` and `hyp`"]),
        ('[{"ref": "a", "hyp": "b"}]', ["this is a JSON list"]),
        ('{"ref": "a", "hyp": "b"}\n{"ref": "a"', ["line 2: not JSON"]),
        (
            '{"ref": "a"}\n"x"\n{"ref": "a", "hyp": ["b"]}',
            ["line 2: not an object", "line 1: no `hyp`", "line 3: `hyp`"],
        ),
        ("ref,hyp\na,b,c\na\nx,y\n", ["line 2: 3 cells, the header has 2", "line 3: 1 cells"]),
        ('ref,hyp\na,b\n"a,b\nc,d\n', ["line 3: not CSV"]),
        ("{\n" * 9, [f"line {n}: not JSON" for n in range(1, 6)] + ["and 4 more lines like these"]),
    ],
)
def test_what_is_wrong_has_a_line_each(text: str, lines: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        read_pairs(text)
    assert len(error.value.problems) == len(lines)
    assert all(told.startswith(line) for told, line in zip(error.value.problems, lines, strict=True))


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1).filter(str.strip)


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), separator=st.sampled_from(",;\t"))
def test_what_a_csv_writer_wrote_is_read(rows: list[tuple[str, str]], separator: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator).writerows([("ref", "hyp"), *rows])
    assert [(pair.reference, pair.transcript) for pair in read_pairs(file.getvalue()).pairs] == rows


@given(text=st.text(st.sampled_from('ref,hyp;\t"\n\r{}[]:a\ufeff') | st.characters(), max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    try:
        assert read_pairs(text).keys
    except ConfigError as error:
        assert all("\n" not in problem for problem in error.problems)
