"""References and transcripts out of a file, as people's tools write it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.errors import ConfigError
from stt_load.metrics.language_guess import SAMPLE
from stt_load.metrics.pairs import Pair, PairFile


def opened(text: str) -> io.TextIOWrapper:
    """The text as a file is opened for scoring."""
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8-sig", newline="\n")


def pairs_of(text: str, ref_key: str | None = None, hyp_key: str | None = None) -> list[Pair]:
    return list(PairFile(opened(text), ref_key, hyp_key))


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
    (pair,) = pairs_of(text.replace("REF", reference).replace("HYP", transcript))
    assert (pair.reference, pair.transcript) == (reference, transcript)


def test_a_line_is_told_by_where_it_begins() -> None:
    pairs = pairs_of('ref,hyp\n"one\ntwo",x\n"say ""three""",y\n')
    assert pairs == [Pair(2, "one\ntwo", "x"), Pair(4, 'say "three"', "y")]


def test_keys_can_be_named() -> None:
    text = '{"text": "a", "pred_text": "b", "ref": "c", "hyp": "d"}'
    assert PairFile(opened(text)).keys == ("ref", "hyp")
    assert PairFile(opened(text), "text").keys == ("text", "hyp")
    assert pairs_of(text, None, "pred_text") == [Pair(1, "c", "b")]
    assert pairs_of("said;heard\na;b", "said", "heard") == [Pair(2, "a", "b")]


def test_one_key_is_never_both() -> None:
    with pytest.raises(ConfigError, match="--hyp-key"):
        pairs_of('{"text": "a"}', "text")


def test_nothing_is_an_empty_text_and_a_number_its_digits() -> None:
    assert pairs_of('{"ref": null, "hyp": 42}') == [Pair(1, "", "42")]
    assert pairs_of("ref,hyp\n,\nlamp,\n") == [Pair(3, "lamp", "")]
    assert pairs_of('{"ref": "\\ud83d", "hyp": ""}') == [Pair(1, "\ufffd", "")]


def test_of_a_run_the_completed_utterances_of_a_hold_count() -> None:
    row = {"run_id": "r", "phase": "hold", "outcome": "ok", "reference": "lamp", "text": "lamp"}
    rows = [row, row | {"phase": "ramp"}, row | {"outcome": "timed_out"}, row | {"outcome": "interrupted"}]
    file = PairFile(opened("\n".join(map(json.dumps, rows))))
    assert (len(list(file)), len(list(file)), file.not_counted) == (1, 1, 3)


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
            ["line 1: no `hyp`", "line 2: not an object", "line 3: `hyp`"],
        ),
        ("ref,hyp\na,b,c\na\nx,y\n", ["line 2: 3 cells, the header has 2", "line 3: 1 cells"]),
        ('ref,hyp\na,b\n"a,b\nc,d\n', ["line 3: not CSV"]),
        ('{"ref": "a", "hyp": ' + "[" * 100_000, ["line 1: not JSON (nested too deep)"]),
        ("{\n" * 9, [f"line {n}: not JSON" for n in range(1, 6)] + ["… and 4 more like these"]),
    ],
)
def test_what_is_wrong_has_a_line_each(text: str, lines: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        pairs_of(text)
    assert len(error.value.lines) == len(lines)
    assert all(told.startswith(line) for told, line in zip(error.value.lines, lines, strict=True))


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1).filter(str.strip)
CELLS_BETWEEN_TABS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0\n\t"), min_size=1).filter(str.strip)


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), separator=st.sampled_from(",;"))
def test_what_a_csv_writer_wrote_is_read(rows: list[tuple[str, str]], separator: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator).writerows([("ref", "hyp"), *rows])
    assert [(pair.reference, pair.transcript) for pair in pairs_of(file.getvalue())] == rows


@given(rows=st.lists(st.tuples(CELLS_BETWEEN_TABS, CELLS_BETWEEN_TABS), min_size=1, max_size=5))
def test_between_tabs_every_letter_is_a_letter(rows: list[tuple[str, str]]) -> None:
    text = "".join(f"{ref}\t{hyp}\n" for ref, hyp in [("ref", "hyp"), *rows])
    assert [(pair.reference, pair.transcript) for pair in pairs_of(text)] == rows


def test_a_sentence_that_only_opens_its_quotation_mark_joins_no_rows() -> None:
    rows = ['"It was dark\tit was dark', "middle row\tmiddle row", 'ends here"\tends here', "last one\tlast one"]
    assert len(pairs_of("\n".join(["sentence\thyp", *rows]), "sentence")) == 4


def test_the_sample_for_a_guess_is_of_the_whole_file() -> None:
    n = 3 * SAMPLE
    file = PairFile(opened("ref,hyp\n" + "".join(f"{number},x\n" for number in range(n))))
    thirds = [sum(int(text) * 3 // n == third for text in file.references) for third in range(3)]
    assert sum(thirds) == len(set(file.references)) == SAMPLE
    assert min(thirds) > 0.8 * SAMPLE / 3


@given(text=st.text(st.sampled_from('ref,hyp;\t"\n\r{}[]:a\ufeff') | st.characters(codec="utf-8"), max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    try:
        assert PairFile(opened(text)).keys
    except ConfigError as error:
        assert all("\n" not in problem for problem in error.problems)
