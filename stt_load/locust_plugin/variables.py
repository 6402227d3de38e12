"""Environment variables that begin as ours do and that nothing reads: most are misspelt, and would be passed over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from stt_load.clips.cache_folder import CACHE_VARIABLE
from stt_load.credentials import API_KEY_VARIABLE, CLUSTER_TOKEN_VARIABLE, HEADERS_VARIABLE, TTS_KEY_VARIABLE
from stt_load.locust_plugin.process_options import PROCESS_OPTIONS
from stt_load.locust_plugin.request_origin import HOSTS_VARIABLE
from stt_load.options import OPTIONS
from stt_load.process.data_folder import DATA_VARIABLE
from stt_load.process.log import log

_PREFIX = "STT_LOAD_"
_PREFIX_OF_LOCUST = "LOCUST_"
KNOWN_VARIABLES = frozenset(
    [
        *(option.env_var for option in OPTIONS),
        *(option.variable for option in PROCESS_OPTIONS),
        *(API_KEY_VARIABLE, CLUSTER_TOKEN_VARIABLE, HEADERS_VARIABLE, TTS_KEY_VARIABLE, HOSTS_VARIABLE),
        *(CACHE_VARIABLE, DATA_VARIABLE),
        *("STT_LOAD_UID", "STT_LOAD_GID"),  # docker-compose.yml
        "STT_LOAD_REWRITE_GOLDEN",  # the tests of this checkout
    ]
)
# What Kubernetes puts into every container for a service that is called stt-load-….
_OF_KUBERNETES = re.compile(r"SERVICE_(HOST|PORT)|PORT(_\d+_(TCP|UDP).*)?$")
_ALIKE = 0.7


def misspelt_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that begin as ours do and that nothing reads, each with the one that it is most like. One
    that is like none is somebody else's."""
    known = {name.removeprefix(_PREFIX).removeprefix(_PREFIX_OF_LOCUST): name for name in sorted(KNOWN_VARIABLES)}
    unread = sorted(name for name in environ if name.startswith(_PREFIX) and name not in KNOWN_VARIABLES)
    endings = [name.removeprefix(_PREFIX) for name in unread]
    alike = {
        ending: get_close_matches(ending, known, n=1, cutoff=_ALIKE)
        for ending in endings
        if not _OF_KUBERNETES.search(ending)
    }
    return {f"{_PREFIX}{ending}": known[names[0]] for ending, names in alike.items() if names}


def tell_of_misspelt(environ: Mapping[str, str]) -> None:
    """Logs a line for each."""
    for name, meant in misspelt_variables(environ).items():
        log.warning("%s is set, and nothing reads it: is it %s?", name, meant)
