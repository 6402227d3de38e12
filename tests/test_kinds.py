from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from stt_load.kinds import KINDS, STREAM, LoadKind, kind_of
from stt_load.metrics.slo import parse_slo
from stt_load.option_values import parse_url
from stt_load.records import UtteranceRecord

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)


@every_kind
def test_what_a_row_names_is_there(kind: LoadKind) -> None:
    assert kind.headline in {field.name for field in msgspec.structs.fields(UtteranceRecord)}
    assert [parse_slo(text).text for text in kind.default_slos] == list(kind.default_slos)
    assert kind.workload_class().__module__.startswith("stt_load.workloads.")


@every_kind
def test_every_server_of_a_kind_has_what_its_row_promises(kind: LoadKind) -> None:
    for name, row in kind.dialect_rows().items():
        assert row.name == name
        assert parse_url(row.default_url, kind.url_schemes) == row.default_url
        assert isinstance(row.parse_options(()), dict)
        assert all(row.facts().values())
        assert row.takes_key in (True, False)
        assert kind_of(name) is kind


def test_no_two_servers_share_a_name() -> None:
    names = Counter(name for kind in KINDS.values() for name in kind.dialect_rows())
    assert [name for name, n in names.items() if n > 1] == []


@pytest.mark.parametrize("dialect", [None, "", "no-such-server"])
def test_a_name_that_no_kind_knows_is_checked_as_a_stream(dialect: str | None) -> None:
    assert kind_of(dialect) is STREAM


@every_kind
def test_a_record_knows_the_time_that_its_kind_is_about(kind: LoadKind) -> None:
    record = UtteranceRecord("r", 0, 0, 0, "hold", 1, "c", "", kind=kind.name, **{kind.headline: 1.25})
    assert record.headline_s == 1.25
    assert record.is_transcribed is kind.is_transcribed
