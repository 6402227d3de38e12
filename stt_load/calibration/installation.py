"""Looks at what is installed beside the machine: packages, the driver's tool, certificates, a folder to write to."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

from stt_load.calibration.checks import Installation
from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.store import kept
from stt_load.versions import installed_version

PACKAGES = ("locust", "gevent", "espeakng-loader", "pocketsphinx", "altair", "vl-convert-python")
_SMI_DEADLINE_S = 10.0


def look_at_installation(results: str) -> Installation:
    """`results`: the folder that runs are to go to; it is not made."""
    smi, smi_fails = _nvidia_smi()
    return Installation(
        packages={name: installed_version(name) for name in PACKAGES},
        nvidia_smi=smi,
        nvidia_smi_fails=smi_fails,
        authorities=_authorities(),
        unwritable=_unwritable(Path(results)),
        results=results,
        calibration=kept(describe_host()),
    )


def _nvidia_smi() -> tuple[str | None, str | None]:
    """Its GPUs in one line, or why it can't tell; nothing of either where it is not here."""
    path = shutil.which("nvidia-smi")
    if path is None:
        return None, None
    try:
        done = subprocess.run(
            [path, "-L"], capture_output=True, text=True, errors="replace", timeout=_SMI_DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {_SMI_DEADLINE_S:.0f} s"
    except OSError as error:
        return None, f"can't be started ({error.strerror})"
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode or not lines:
        return None, lines[0] if lines else f"ended with {done.returncode}"
    return f"{len(lines)} GPU, {lines[0].partition(' (UUID')[0]}", None


def _authorities() -> int:
    """That the context of a run trusts. A folder of certificates is read when one is asked for, so it counts as a
    whole: one for each file in it."""
    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    n = context.cert_store_stats()["x509_ca"]
    return n or (len(list(Path(folder).iterdir())) if folder else 0)


def _unwritable(folder: Path) -> str | None:
    """Tried for real, in the nearest folder that is there: permissions alone don't tell."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)
