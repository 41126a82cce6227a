"""The house keeps its layers: what may import what, and how large a file may be.

`LAYERS` is the one place where the layers stand. Imports inside functions and under ``TYPE_CHECKING`` count,
too: two modules that need each other to be understood go round in a circle, whether it runs or not.
"""

from __future__ import annotations

import ast
import graphlib
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"connection", "errors", "settings", "topics", "wording"}),
    frozenset({"messages"}),
    frozenset({"profile"}),
    frozenset({"models"}),
    frozenset({"drift", "quality", "rollout", "serving", "training"}),
    frozenset({"runtime"}),
    frozenset({"agents", "documents", "gateway", "operations"}),
    frozenset({"__main__", "cli", "dashboard", "demo"}),
)
"""From the ground up. A package imports from those below its own, and from its own."""

SIDEWAYS: dict[tuple[str, str], str] = {
    ("connection", "errors"): "a wrong setting is an error like any other",
    ("settings", "connection"): "how Kafka is reached is a part of what can be set",
    ("settings", "errors"): "a wrong setting is an error like any other",
    ("settings", "topics"): "the name of a deployment is checked where its topics are named",
    ("topics", "errors"): "a wrong name is an error like any other",
    ("__main__", "cli"): "python -m streamapp is the command",
    ("cli", "dashboard"): "the command serves the page",
    ("cli", "demo"): "the command starts the demo",
    ("quality", "drift"): "snapshots pack their arrays in one way",
    ("rollout", "drift"): "labels are watched by the engine that watches requests",
    ("rollout", "quality"): "versions are judged by the rows and losses that quality reads",
    ("training", "quality"): "a training reads its rows as the judges do",
}
"""Imports within a layer, and why each is needed."""

PURE = frozenset().union(*LAYERS[:5])
"""What can be run in a notebook, without a broker or an event loop."""

IMPURE = frozenset({"aiokafka", "asyncio", "faust", "mode"})
FAUST = frozenset({"faust", "mode"})
VAGUE = frozenset({"common", "helper", "helpers", "manager", "misc", "util", "utils"})


@dataclass(frozen=True, slots=True)
class Import:
    """`module` imports `target`, at `where`; `runs` if it does so while it is imported itself."""

    module: str
    target: str
    where: str
    runs: bool


def modules(root: Path) -> dict[str, Path]:
    """Dotted name to file, of every module of streamapp below `root`."""
    found = {}
    for path in sorted((root / "streamapp").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path) -> list[Import]:
    """Every import of every module; a relative one keeps its dots."""
    known = modules(root)
    found = []
    for module, path in known.items():
        for node, runs in _import_nodes(ast.parse(path.read_text(encoding="utf-8")), runs=True):
            where = f"{path.relative_to(root)}:{node.lineno}"
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                base = "." * node.level + (node.module or "")
                inner = [f"{base}.{alias.name}" for alias in node.names]
                targets = [name if name in known else base for name in inner]
            found += [Import(module, target, where, runs) for target in dict.fromkeys(targets)]
    return found


def _import_nodes(node: ast.AST, *, runs: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, runs
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _import_nodes(child, runs=False)
        else:
            deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _import_nodes(child, runs=runs and not deferred)


def package(module: str) -> str:
    """Part of streamapp that `module` belongs to; empty for ``streamapp`` itself."""
    return module.partition(".")[2].partition(".")[0]


def violations(root: Path) -> list[str]:
    """One line per import that the layers forbid."""
    level = {name: index for index, names in enumerate(LAYERS) for name in names}
    lines = [
        f"{path.relative_to(root)}: {package(module)} stands in no layer"
        for module, path in modules(root).items()
        if package(module) and package(module) not in level
    ]
    for found in imports(root):
        here, top = package(found.module), found.target.partition(".")[0]
        if not here or here not in level:
            continue
        if found.target.startswith("."):
            lines.append(f"{found.where}: a relative import")
        elif top in FAUST and here != "runtime":
            lines.append(f"{found.where}: {here} imports {top}, which only runtime may")
        elif top in IMPURE and here in PURE:
            lines.append(f"{found.where}: {here} is pure and imports {top}")
        elif top == "streamapp":
            there = package(found.target)
            # The root itself holds the version, and reaches everything else only when asked for it.
            if not there or there == here or (here, there) in SIDEWAYS:
                continue
            if level.get(there, len(LAYERS)) >= level[here]:
                lines.append(f"{found.where}: {here} imports {there}, which is not below it")
    return lines


def cycle(root: Path) -> list[str]:
    """Modules of one import cycle, in order; empty if there is none.

    The root is left out: it holds the version, and reaches everything else only when asked for it.
    """
    known = modules(root).keys() - {"streamapp"}
    graph: dict[str, set[str]] = {module: set() for module in known}
    for found in imports(root):
        if found.module in known and found.target in known and found.target != found.module:
            graph[found.module].add(found.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        return [str(name) for name in exc.args[1]]
    return []


def test_imports_point_downwards() -> None:
    assert not violations(ROOT)


def test_no_module_imports_itself_through_others() -> None:
    assert not cycle(ROOT)


def test_the_root_imports_nothing_but_the_standard_library() -> None:
    outside = [
        found.where
        for found in imports(ROOT)
        if found.module == "streamapp"
        and found.runs
        and found.target.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert not outside


def test_files_are_small_and_their_names_say_something() -> None:
    files = [path for folder in ("streamapp", "tests") for path in (ROOT / folder).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in files}
    assert {name: n for name, n in lines.items() if n > 500} == {}
    assert statistics.median(n for name, n in lines.items() if name.startswith("streamapp")) <= 120
    assert sum(n > 300 for n in lines.values()) <= len(lines) / 20
    assert [path for path in files if path.stem in VAGUE] == []


@pytest.mark.parametrize(
    ("path", "line", "complaint"),
    [
        ("drift/a.py", "import faust", "drift imports faust, which only runtime may"),
        ("agents/a.py", "from mode.utils import logging", "agents imports mode, which only runtime may"),
        ("models/a.py", "import asyncio", "models is pure and imports asyncio"),
        ("serving/a.py", "def f():\n    import aiokafka.errors", "serving is pure and imports aiokafka"),
        ("profile/a.py", "from streamapp.models import Bundle", "profile imports models"),
        ("profile/a.py", "def f():\n    import streamapp.models.bundle", "profile imports models"),
        ("profile/a.py", "from streamapp import models", "profile imports models"),
        ("drift/a.py", "from streamapp.serving import x", "drift imports serving"),
        ("runtime/a.py", "if TYPE_CHECKING:\n    import streamapp.cli", "runtime imports cli"),
        ("quality/a.py", "from .join import Join", "a relative import"),
        ("other/a.py", "", "other stands in no layer"),
    ],
)  # fmt: skip
def test_a_planted_violation_is_found(path: str, line: str, complaint: str, tmp_path: Path) -> None:
    _plant(tmp_path, {"models/__init__.py": "", path: line})
    (found,) = violations(tmp_path)
    assert complaint in found


def test_what_the_layers_allow_is_not_found(tmp_path: Path) -> None:
    allowed = (
        "import json\nimport numpy\nfrom streamapp import __version__, models\nimport streamapp.drift.b\n"
    )
    _plant(
        tmp_path, {"models/__init__.py": "", "drift/a.py": allowed, "runtime/a.py": "import faust, asyncio"}
    )
    assert violations(tmp_path) == []


@pytest.mark.parametrize(
    "back",
    [
        "class C:\n    from streamapp.drift.a import a",
        "def f():\n    from streamapp.drift.a import a",
        "if TYPE_CHECKING:\n    from streamapp.drift.a import a",
    ],
)
def test_a_planted_cycle_is_found(back: str, tmp_path: Path) -> None:
    _plant(
        tmp_path,
        {
            "drift/a.py": "from streamapp.drift.b import b",
            "drift/b.py": "from streamapp.drift import c",
            "drift/c.py": "import numpy",
        },
    )
    assert cycle(tmp_path) == []
    _plant(tmp_path, {"drift/c.py": back})
    assert set(cycle(tmp_path)) == {f"streamapp.drift.{name}" for name in "abc"}


def _plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / "streamapp" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
