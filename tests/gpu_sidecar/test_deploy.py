"""The command lines in `deploy/`, read as systemd and Docker read them, are accepted by the sidecar."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from stand_in import CHECKOUT, DEADLINE_S

from gpu_sidecar.options import TOKEN_VARIABLE, parse_options
from gpu_sidecar.server_choice import ServerSelector

UNIT = (CHECKOUT / "deploy" / "gpu-sidecar.service").read_text(encoding="utf-8")
COMPOSE = (CHECKOUT / "deploy" / "gpu-sidecar.compose.yml").read_text(encoding="utf-8")

TOKEN = "a-token"


def setting(name: str) -> str:
    """The one line of the unit that sets it."""
    (value,) = re.findall(rf"(?m)^{name}=(.*)$", UNIT)
    return str(value)


def example(text: str) -> str:
    """The sidecar's options that a comment gives as an example."""
    (found,) = re.findall(r'(?m)^#.*SIDECAR_OPTIONS=(?:")?(--[^"]+)"', text)
    return str(found)


@pytest.mark.parametrize("more", ["", example(UNIT)], ids=["as it is", "with the example's options"])
def test_the_unit_starts_a_sidecar(tmp_path: Path, more: str) -> None:
    (tmp_path / setting("LoadCredential").partition(":")[0]).write_text(f"{TOKEN}\n")
    words = shlex.split(setting("ExecStart"))
    # systemd puts a variable in braces into its word, and splits one that is a word of its own (systemd.service(5)).
    at = words.index("$SIDECAR_OPTIONS")
    words[at : at + 1] = more.split()
    python, zipapp, *given = (word.replace("${CREDENTIALS_DIRECTORY}", str(tmp_path)) for word in words)
    options = parse_options(given)
    assert python == "/usr/bin/python3"
    assert f"install -D gpu-sidecar.pyz {zipapp}" in UNIT
    assert (options.token, options.host) == (TOKEN, "0.0.0.0")
    assert options.service.record is not None
    assert options.service.record.parent == Path("/var/lib") / setting("StateDirectory")
    assert options.service.server == (ServerSelector("port", "8000") if more else None)


@pytest.mark.parametrize("more", ["", example(COMPOSE)], ids=["as it is", "with the example's options"])
def test_the_container_starts_a_sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    (command,) = re.findall(r"(?m)^ +command: (.*)$", COMPOSE)
    (tmp_path / "python3").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (tmp_path / "python3").chmod(0o755)
    # Compose makes one $ of two, and splits the line as a shell does; what is left is sh's.
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SIDECAR_OPTIONS": more}
    words = shlex.split(command.replace("$$", "$"))
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    zipapp, *given = done.stdout.splitlines()
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    options = parse_options(given)
    mounts = dict(line.split(":")[1::-1] for line in re.findall(r"(?m)^ +- (\S+:/\S+)$", COMPOSE))
    assert mounts[zipapp] == "../dist/gpu-sidecar.pyz"
    assert (options.token, options.host) == (TOKEN, "0.0.0.0")
    assert str(options.service.record and options.service.record.parent) in mounts
    assert options.service.server == (ServerSelector("port", "8000") if more else None)
    assert f"{TOKEN_VARIABLE}: ${{{TOKEN_VARIABLE}:?" in COMPOSE
