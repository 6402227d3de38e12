"""The clip sets of this process, each loaded once, also for several runs from the web UI."""

from __future__ import annotations

from stt_load.clips.derived_clips import derivation_of
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.run.real_thread import GivenUpError, call_in_thread
from stt_load.workloads.clip_progress import ClipsInterrupted, is_making_stopped
from stt_load.workloads.run_clips import choose_clips


class LoadedClips:
    """Keeps each clip set that was loaded, by the options that it was chosen by."""

    def __init__(self) -> None:
        self._sets: dict[tuple[object, ...], ClipSet] = {}

    def of(self, config: RunConfig) -> ClipSet:
        """The clips of a run with this configuration. Raises ConfigError where there are none, ClipsInterrupted where
        this process is to end meanwhile.

        They are loaded in a real thread: heartbeats go on, and a signal is heard meanwhile.
        """
        key = (config.clips, config.tts_url, config.dialect, config.has_strict_bounds, derivation_of(config))
        if key not in self._sets:
            try:
                self._sets[key] = call_in_thread(choose_clips, config, is_given_up=is_making_stopped)
            except GivenUpError:
                raise ClipsInterrupted("interrupted when clips were being made: no run was started") from None
        return self._sets[key]
