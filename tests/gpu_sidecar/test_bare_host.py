"""The sidecar is copied to hosts that have nothing but an old Python. The import contracts check what it imports."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in import DEADLINE_S

import gpu_sidecar

PACKAGE = Path(gpu_sidecar.__path__[0])
FILES = sorted(PACKAGE.rglob("*.py"))

# What came after Python 3.8, and that the type checker, which looks at today's Python, lets pass.
NEWER_METHODS = {"removeprefix", "removesuffix", "bit_count", "is_relative_to", "with_stem", "hardlink_to", "pairwise"}
NEWER_KEYWORDS = {"zip": {"strict"}, "dataclass": {"slots", "kw_only"}}
NOT_SUBSCRIPTED = {"list", "dict", "tuple", "set", "frozenset", "type"}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations, which `from __future__ import annotations` never evaluates."""
    yield node
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from run_time_nodes(child)


def names_from_abc(tree: ast.AST) -> set[str]:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "collections.abc"]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def too_new(tree: ast.AST) -> Iterator[str]:
    subscripted = NOT_SUBSCRIPTED | names_from_abc(tree)
    for node in run_time_nodes(tree):
        if isinstance(node, ast.Attribute) and node.attr in NEWER_METHODS:
            yield f"line {node.lineno}: {node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            used = {keyword.arg for keyword in node.keywords} & NEWER_KEYWORDS.get(node.func.id, set())
            yield from (f"line {node.lineno}: {node.func.id}({word}=)" for word in used)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in subscripted:
            yield f"line {node.lineno}: {node.value.id}[] outside an annotation"


@each_file
def test_a_file_is_python_3_8(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    assert list(too_new(tree)) == []


# What an older Python reads before it is told that it is too old. `python3 -m` reads the package first.
READ_BY_ANY_PYTHON = [PACKAGE / "__init__.py", PACKAGE / "__main__.py"]


@each_file
def test_no_file_evaluates_its_annotations(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path in READ_BY_ANY_PYTHON:
        assert not [node for node in ast.walk(tree) if isinstance(node, (ast.AnnAssign, ast.FunctionDef))]
    elif len(tree.body) > 1:
        imported = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        assert [alias.name for node in imported for alias in node.names] == ["annotations"]


@pytest.mark.parametrize(
    "text",
    [
        "Emit = Callable[[int], None]",
        "x = list[int]()",
        "'a'.removeprefix('b')",
        "zip(a, b, strict=True)",
        "@dataclass(slots=True)\nclass A: pass",
    ],
)
def test_what_python_3_8_lacks_is_found(text: str) -> None:
    assert len(list(too_new(ast.parse(f"from collections.abc import Callable\n{text}")))) == 1


def test_an_annotation_may_be_of_today() -> None:
    assert not list(too_new(ast.parse("def f(a: list[int], b: tuple[int, ...]) -> dict[str, int]:\n  c: set[int] = 3")))


def test_every_file_can_be_imported_by_a_python_3_8_where_there_is_one() -> None:
    found = shutil.which("python3.8")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYENV_VERSION": "3.8"}
    if found is None or subprocess.run([found, "-V"], env=environment, capture_output=True, check=False).returncode:
        pytest.skip("no python3.8 on PATH")
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in FILES]
    lines = [f"import {name}" for name in names if not name.endswith("__")]
    done = subprocess.run(
        [found, "-c", "\n".join(lines)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", READ_BY_ANY_PYTHON, ids=lambda path: path.name)
def test_an_old_python_can_read_what_tells_it_its_age(path: Path) -> None:
    text = path.read_bytes().decode("ascii")  # Python 2 takes nothing else without a declaration
    tree = ast.parse(text, feature_version=(3, 4))
    newer = (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.AsyncFunctionDef)
    assert [node for node in ast.walk(tree) if isinstance(node, newer)] == []
    assert "__future__" not in text  # a future that it doesn't know is an error of syntax


def older_pythons() -> list[Path]:
    """Pythons before 3.8 beside this one: those of pyenv, and those on PATH."""
    found = [*Path.home().glob(".pyenv/versions/*/bin/python"), *map(Path, filter(None, [shutil.which("python2")]))]
    ask = "import sys; sys.exit(sys.version_info >= (3, 8))"
    return [python for python in found if subprocess.run([python, "-c", ask], check=False).returncode == 0]


def test_an_old_python_gets_one_line() -> None:
    pythons = older_pythons()
    if not pythons:
        pytest.skip("no Python before 3.8 here")
    for python in pythons:
        done = subprocess.run(
            [python, "-B", "-m", "gpu_sidecar"],
            env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        (line,) = done.stderr.splitlines()
        assert line.startswith("gpu_sidecar: it needs Python 3.8 or newer, and this is ")
        assert (done.returncode, done.stdout) == (2, "")
