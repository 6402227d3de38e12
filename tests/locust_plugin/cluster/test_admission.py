"""Who may take part in a cluster, and how a worker asks: both ends, without a socket between them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from made_locust import MadeMasterRunner

from stt_load.config import parse_options
from stt_load.errors import ConfigError
from stt_load.locust_plugin.cluster.admission import Admission, Answer, Terms
from stt_load.locust_plugin.cluster.agreement import reach_agreement
from stt_load.locust_plugin.cluster.joining import Joining, Refused
from stt_load.locust_plugin.cluster.messages import EQUIPMENT, JOIN, REFUSED, TERMS, WAIT, WELCOME
from stt_load.run.loaded_clips import LoadedClips
from stt_load.run.terms import Program, describe_equipment, shared_options, this_program

# Of this kind of load the clips are texts: they are there at once.
OPTIONS = {"dialect": "tts-openai", "stt_url": "http://127.0.0.1:9/v1/audio/speech"}


def terms(**options: Any) -> Terms:
    config = parse_options({**OPTIONS, **options})
    clips = LoadedClips().of(config)
    return Terms(shared_options({**OPTIONS, **options}), describe_equipment(config, clips.clips, {}), clips.source)


def opened(wanted: Terms | None) -> Admission:
    admission = Admission(this_program())
    admission.open(wanted)
    return admission


def asked(admission: Admission, message: Answer, worker: str = "w0") -> Answer:
    answer = admission.answer(worker, *message)
    assert answer is not None
    return answer


def test_a_worker_that_fits_says_what_it_has_and_is_heard() -> None:
    admission, joining = opened(terms()), Joining(LoadedClips())
    assert not admission.is_heard("w0")
    question = joining.on_answer(*asked(admission, joining.question()))
    assert question is not None
    assert question[0] == EQUIPMENT
    assert joining.on_answer(*asked(admission, question)) is None
    assert admission.is_heard("w0")
    assert admission.has_agreed("w0")
    assert not admission.is_heard("w1")
    admission.open(terms(seed="8"))
    assert admission.is_heard("w0")
    assert not admission.has_agreed("w0"), "other options: it has to be asked again"


def test_a_worker_waits_for_a_master_that_is_not_ready() -> None:
    admission, joining = Admission(this_program()), Joining(LoadedClips())
    assert asked(admission, joining.question()) == (WAIT, {})
    assert joining.on_answer(WAIT, {}) == joining.question()
    admission.open(None)
    assert asked(admission, joining.question()) == (WELCOME, {}), "what is to be run is still to be typed"


def test_a_worker_of_another_version_is_refused_before_anything_is_told() -> None:
    admission = opened(terms())
    name, data = asked(admission, (JOIN, msgspec.to_builtins(Program("9.9", "other code"))))
    assert name == REFUSED
    assert "stt-load 9.9" in data["problems"][0]
    assert (admission.is_heard("w0"), admission.refused) == (False, ["w0"])
    with pytest.raises(Refused, match=r"the master refuses this worker: it runs stt-load 9\.9"):
        Joining(LoadedClips()).on_answer(name, data)


def test_a_worker_with_other_clips_is_refused_and_not_heard_any_more() -> None:
    admission = opened(terms())
    dropped: list[str] = []
    admission.on_refused = dropped.append
    _, has = Joining(LoadedClips()).on_answer(*asked(admission, Joining(LoadedClips()).question())) or ("", {})
    assert asked(admission, (EQUIPMENT, has)) == (WELCOME, {})
    other = has["equipment"] | {"clips": {}}
    name, data = asked(admission, (EQUIPMENT, has | {"equipment": other}))
    assert (name, dropped, admission.is_heard("w0")) == (REFUSED, ["w0"], False)
    assert "missing" in data["problems"][0]


def test_a_worker_that_can_not_have_what_is_wanted_says_why() -> None:
    wanted = terms()
    wanted.options["dialect"] = "acme"
    question = Joining(LoadedClips()).on_answer(*asked(opened(wanted), Joining(LoadedClips()).question()))
    assert question is not None
    name, data = asked(opened(wanted), question)
    assert name == REFUSED
    assert "acme" in " ".join(data["problems"])


@pytest.mark.parametrize("name", [JOIN, EQUIPMENT])
@pytest.mark.parametrize("data", [None, 5, "x", [], {}, {"version": 7}, {"options": {}, "equipment": 3, "problems": 0}])
def test_what_makes_no_sense_is_not_answered(name: str, data: object) -> None:
    admission = opened(terms())
    assert admission.answer("w0", name, data) is None
    assert not admission.is_heard("w0")


def test_an_answer_to_a_question_that_was_asked_anew_counts_for_nothing() -> None:
    admission = opened(terms())
    old = Joining(LoadedClips()).on_answer(*asked(admission, Joining(LoadedClips()).question()))
    assert old is not None
    admission.open(terms(seed="8"))
    assert asked(admission, old) == (WAIT, {})
    assert not admission.is_heard("w0")


# Before a run -------------------------------------------------------------------------------------------------------


def test_before_a_run_every_worker_is_asked_that_has_not_agreed() -> None:
    runner = MadeMasterRunner(w0="ready", w1="missing", w2="ready")
    runner.admission.open(terms())
    reach_agreement(runner.admission, runner, lambda: False)
    assert [message[0] for message in runner.sent] == [TERMS, TERMS]
    reach_agreement(runner.admission, runner, lambda: False)
    assert len(runner.sent) == 2, "they have agreed already"


def test_a_run_does_not_start_where_a_worker_is_refused() -> None:
    runner = MadeMasterRunner(w0="ready", w1="ready")
    wanted = terms()
    wanted.equipment.credentials["STT_LOAD_API_KEY"] = "a digest that no worker has"
    runner.admission.open(wanted)
    runner.admission.on_refused = lambda worker: runner.states.pop(worker) and None
    with pytest.raises(ConfigError, match="2 of the workers"):
        reach_agreement(runner.admission, runner, lambda: False)


def test_nobody_is_waited_for_when_the_process_is_to_end() -> None:
    runner = MadeMasterRunner(w0="ready")
    runner.admission.open(terms())
    runner.send_message = lambda *_: None  # type: ignore[method-assign]  # nobody answers
    reach_agreement(runner.admission, runner, lambda: True)
