"""The sidecar is copied to hosts that have nothing but an old Python."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import gpu_sidecar

FILES = sorted(Path(gpu_sidecar.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_python_3_8(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_imports_the_standard_library_and_its_own_package_only(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    roots = {name.partition(".")[0] for name in imported}
    assert roots - sys.stdlib_module_names - {"gpu_sidecar"} == set()
