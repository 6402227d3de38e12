"""When a hold may end because an objective is missed for certain."""

from __future__ import annotations

import pytest

from stt_load.errors import Outcome
from stt_load.metrics.slo import parse_slo
from stt_load.records import UtteranceRecord
from stt_load.run.breach_watch import BreachWatch


def ended(latency_s: float | None, outcome: str = Outcome.OK, stage: int = 0) -> UtteranceRecord:
    record = UtteranceRecord("run", 0, 0, stage, "hold", 5, "clip", "text", outcome=outcome)
    record.eos_latency_s = latency_s
    return record


LATE, IN_TIME = ended(1.5), ended(0.5)
FAILED, CUT = ended(None, Outcome.REFUSED), ended(None, Outcome.INTERRUPTED)

ROWS = [
    ("all late", "eos_latency:p95<1s", [LATE] * 9, "9 of 9 utterances are beyond the bound of eos_latency:p95<1s"),
    ("failed ones are later than any bound", "eos_latency:p95<1s", [FAILED] * 9, "9 of 9 utterances are beyond"),
    (
        "failed ones are errors",
        "error_rate<1%",
        [FAILED] * 9,
        "9 of 9 utterances are beyond the bound of error_rate<1%",
    ),
    ("one late is no proof", "eos_latency:p95<1s", [LATE], None),
    ("as many late as allowed", "eos_latency:p95<1s", ([IN_TIME] * 19 + [LATE]) * 20, None),
    ("nobody is late", "eos_latency:p95<1s", [IN_TIME] * 50, None),
    ("late ones are no errors", "error_rate<1%", [LATE] * 50, None),
    ("what was cut off says nothing", "error_rate<1%", [CUT] * 50, None),
    ("nothing is shared out of a mean", "eos_latency:mean<1s", [LATE] * 50, None),
]


@pytest.mark.parametrize(("slo", "records", "breach"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_breach_is_told_where_it_is_certain(slo: str, records: list[UtteranceRecord], breach: str | None) -> None:
    watch = BreachWatch([parse_slo(slo)])
    for record in records:
        watch.add(record)
    assert (watch.breach(0, len(records)) or "").startswith(breach or "nothing") is (breach is not None)


def test_what_is_refused_at_once_is_no_breach_while_many_others_speak() -> None:
    """Five of five have failed, of five hundred that began together."""
    watch = BreachWatch([parse_slo("error_rate<2%")])
    for _ in range(5):
        watch.add(FAILED)
    assert watch.breach(0, begun=500) is None
    assert watch.breach(0, begun=5) == "5 of 5 utterances are beyond the bound of error_rate<2%"


def test_every_stage_has_counts_of_its_own() -> None:
    watch = BreachWatch([parse_slo("eos_latency:p95<1s")])
    for _ in range(9):
        watch.add(LATE)
    assert watch.breach(0, 9) is not None
    assert watch.breach(1, 1) is None
    watch.add(ended(1.5, stage=1))
    assert watch.breach(1, 1) is None
