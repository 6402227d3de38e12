"""Sets a cluster up before Locust makes its sockets: who can reach the master's port, and who is heard there.

Locust has no hook between its command line and its fork, so the options are looked at as soon as they are parsed.
"""

from __future__ import annotations

import os
import secrets
import socket
from typing import Any

import zmq
from locust.rpc import zmqrpc

from stt_load.credentials import CLUSTER_TOKEN_VARIABLE
from stt_load.errors import ConfigError
from stt_load.locust_plugin.arguments import LOOPBACK, find_role_problems
from stt_load.locust_plugin.cluster.admission import Admission
from stt_load.locust_plugin.cluster.joining import Joining
from stt_load.locust_plugin.cluster.public_address import find_open_doors
from stt_load.locust_plugin.cluster.shared_token import shared_token, token_file
from stt_load.locust_plugin.cluster.sockets import Keys, MasterSocket, WorkerSocket
from stt_load.option_values import is_loopback
from stt_load.process.log import log
from stt_load.run.load_processes import AUTO, CHOICE_OPTION, one_per_core_but_one
from stt_load.run.loaded_clips import LoadedClips
from stt_load.run.preflight import port_taken
from stt_load.run.terms import this_program


def set_up_cluster(options: Any, admission: Admission, clips: LoadedClips) -> None:
    """Replaces Locust's sockets, where these parsed options make this process a master or a worker.

    `--processes` gets a port and a token that no other process knows. Raises ConfigError with one line where that can't
    be done.
    """
    _settle_processes(options)
    if problems := find_open_doors(options):
        raise ConfigError(problems)
    if not (options.master or options.worker or options.processes):
        return
    this_program()  # its digest, while the files are those that were imported
    if not zmq.has("curve"):
        raise ConfigError("this pyzmq can't encrypt: install its wheel (pip install --force-reinstall pyzmq)")
    if options.processes and not options.worker:
        listener = socket.create_server((LOOPBACK, 0))
        port = listener.getsockname()[1]
        options.master_bind_host, options.master_host = LOOPBACK, LOOPBACK
        options.master_bind_port, options.master_port = port, port
        _use(_Sockets(Keys(secrets.token_hex()), admission, clips, listener))
        return
    file = token_file()
    if options.worker and not is_loopback(options.master_host) and not _is_set() and not file.exists():
        raise ConfigError(f"{CLUSTER_TOKEN_VARIABLE} is not set: a worker needs the token of its master")
    token = shared_token(os.environ, file)
    taken = (
        None if options.worker else port_taken("--master-bind-port", options.master_bind_host, options.master_bind_port)
    )
    if taken:
        raise ConfigError(taken)
    _use(_Sockets(Keys(token), admission, clips, None))


def _settle_processes(options: Any) -> None:
    """Makes the number of processes that Locust takes of what was typed: None where this process plays all callers."""
    if problems := find_role_problems(options):
        raise ConfigError(problems)
    if options.processes == AUTO:
        chosen = one_per_core_but_one()
        options.processes = chosen.number
        setattr(options, CHOICE_OPTION, chosen.note)
    if options.processes == 1:
        options.processes = None


class _Sockets:
    """Makes the sockets of this process, with the arguments that Locust gives."""

    def __init__(self, keys: Keys, admission: Admission, clips: LoadedClips, listener: socket.socket | None) -> None:
        self._keys = keys
        self._admission = admission
        self._clips = clips
        self._listener = listener

    def make_master(self, host: str, port: int) -> MasterSocket:
        listener, self._listener = self._listener, None  # a second one, after a failure, has to listen anew
        if listener is None and not is_loopback(host) and not _is_set():
            log.warning(
                "other machines can reach port %d: their workers need the token in %s as %s",
                port,
                token_file(),
                CLUSTER_TOKEN_VARIABLE,
            )
        return MasterSocket(host, port, self._keys, self._admission, listener)

    def make_worker(self, host: str, port: int, identity: str) -> WorkerSocket:
        if self._listener is not None:  # the master's, from before the fork
            self._listener.close()
            self._listener = None
        return WorkerSocket(host, port, identity, self._keys, Joining(self._clips))


def _use(sockets: _Sockets) -> None:
    zmqrpc.Server = sockets.make_master  # type: ignore[misc, assignment]
    zmqrpc.Client = sockets.make_worker  # type: ignore[misc, assignment]


def _is_set() -> bool:
    return bool(os.environ.get(CLUSTER_TOKEN_VARIABLE, "").strip())
