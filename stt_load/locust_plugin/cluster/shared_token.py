"""The token that a master and its workers share: who doesn't have it is not heard at the master's port.

STT_LOAD_CLUSTER_TOKEN has it. Without the variable it is in a file of the user's own, which is made on first use, so
that processes of one user on one machine find each other and nobody else does.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stt_load.credentials import CLUSTER_TOKEN_VARIABLE
from stt_load.errors import ConfigError
from stt_load.process.data_folder import data_folder
from stt_load.process.log import log

_FEWEST_CHARACTERS = 16
_TOKEN_BYTES = 32
_ROOT = 0  # who can read any file


def token_file() -> Path:
    """Where this user's own token is."""
    return data_folder() / "cluster-token"


def shared_token(environ: Mapping[str, str], file: Path) -> str:
    """The token of the environment, else of the file. Raises ConfigError with one line where there is none to use."""
    given = environ.get(CLUSTER_TOKEN_VARIABLE, "").strip()
    if given and len(given) < _FEWEST_CHARACTERS:
        raise ConfigError(
            f"{CLUSTER_TOKEN_VARIABLE}: it has {len(given)} characters, which can be guessed: take "
            f"{_FEWEST_CHARACTERS} or more, as `openssl rand -hex 16` prints them"
        )
    return given or _own_token(file)


def _own_token(file: Path) -> str:
    try:
        if not file.exists():
            _make(file)
        token, about = file.read_text(encoding="utf-8").strip(), file.stat()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(
            f"{file}, the token that master and workers share, can't be kept ({why}): set {CLUSTER_TOKEN_VARIABLE} to "
            "the same secret for all of them"
        ) from error
    # Told only: some file systems know no owners.
    if about.st_uid not in (os.geteuid(), _ROOT) or about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning(
            "%s, the token that master and workers share, is another user's or open to others, who can take part in "
            "your runs: make it yours alone (chmod 600), or set %s",
            file,
            CLUSTER_TOKEN_VARIABLE,
        )
    if len(token) < _FEWEST_CHARACTERS:
        raise ConfigError(f"{file} holds no token: delete it, and it is made again")
    return token


def _make(file: Path) -> None:
    """Makes the file, readable by its owner alone. Where another process is faster, its file stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(secrets.token_hex(_TOKEN_BYTES) + "\n", encoding="utf-8")
        with suppress(FileExistsError):
            file.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
