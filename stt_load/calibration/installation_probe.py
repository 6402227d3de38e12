"""Finds out what is installed on this machine: packages, nvidia-smi, TLS certificates, a writable results folder."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

from stt_load.calibration.checks import DEMO_EXTRA, REPORT_EXTRA, Installation
from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.store import load
from stt_load.versions import installed_version

PACKAGES = ("locust", "gevent", *DEMO_EXTRA, *REPORT_EXTRA)
_SMI_DEADLINE_S = 10.0
_SMI_OUTSIDE_PATH = "/usr/local/nvidia/bin:/usr/lib/wsl/lib"  # containers of GKE, WSL: the sidecar looks there too


def probe_installation(results: str) -> Installation:
    """Probes this machine. `results` is the folder that runs will be written to; it is not created."""
    smi, smi_fails = _nvidia_smi()
    return Installation(
        packages={name: installed_version(name) for name in PACKAGES},
        nvidia_smi=smi,
        nvidia_smi_fails=smi_fails,
        authorities=_authorities(),
        unwritable=_unwritable(Path(results)),
        results=results,
        calibration=load(describe_host()),
    )


def _nvidia_smi() -> tuple[str | None, str | None]:
    """(the GPUs in one line, None), or (None, why nvidia-smi failed), or (None, None) if it is not installed.

    Where one GPU is broken it fails and lists the others all the same: they count, and its words stand behind them.
    """
    path = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path=_SMI_OUTSIDE_PATH)
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
    gpus = [line for line in lines if line.startswith("GPU ")]
    words = next((line for line in lines if not line.startswith(("GPU ", "MIG "))), "")
    if not gpus:
        return None, words or f"ended with {done.returncode}"
    return f"{len(gpus)} GPU, {gpus[0].partition(' (UUID')[0]}{f'; {words}' if words else ''}", None


def _authorities() -> int:
    """The number of certificate authorities that a run's TLS context trusts.

    OpenSSL reads a folder of certificates only when it needs one, so each file in such a folder counts as one.
    """
    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    n = context.cert_store_stats()["x509_ca"]
    return n or (len(list(Path(folder).iterdir())) if folder else 0)


def _unwritable(folder: Path) -> str | None:
    """Why `folder` can't be written to, or None. A file is really created, in the nearest existing parent: permissions
    alone don't tell."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)
