"""Docstrings of what is exported: there, a first line that is a sentence, parameters named as they are.

That public names have one at all, and its layout, is ruff's to check; whether it says what the signature says
is not. Classes whose fields are their signature (dataclasses, messages, settings) describe fields where they
stand.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FEW = 4
"""Up to so many parameters may go without a section where their names say it all."""

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Public:
    """Something exported: where it stands, its docstring, the parameters that it takes.

    `rest` are those that pass others on (``*args``, ``**options``): they may be described, and need not.
    """

    name: str
    doc: str
    parameters: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()


def exported(root: Path) -> Iterator[Public]:
    """Every function, class and public method that a module below `root` defines and lists in ``__all__``.

    Commands are left out: their docstring is what ``--help`` prints, which lists the options itself.
    """
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = _all(tree)
        for node in tree.body:
            if isinstance(node, Documented) and node.name in names and not _is_command(node):
                yield from _public(node, f"{path.relative_to(root)}: ")


def _is_command(node: Documented) -> bool:
    return any(ast.unparse(line).startswith("click.") for line in node.decorator_list)


def _all(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def _public(node: Documented, prefix: str) -> Iterator[Public]:
    methods = [child for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)]
    makers = [child for child in methods if child.name == "__init__"]
    takers = makers if isinstance(node, ast.ClassDef) else [node]
    taken = [_parameters(taker.args) for taker in takers] or [((), ())]
    yield Public(prefix + node.name, ast.get_docstring(node) or "", *taken[0])
    if isinstance(node, ast.ClassDef):
        for method in methods:
            marks = {ast.unparse(line).rpartition(".")[2] for line in method.decorator_list}
            if not method.name.startswith("_") and not marks & {"overload", "setter"}:
                yield from _public(method, f"{prefix}{node.name}.")


def _parameters(arguments: ast.arguments) -> tuple[tuple[str, ...], tuple[str, ...]]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    rest = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    names = tuple(argument.arg for argument in every if argument.arg not in {"self", "cls"})
    return names, tuple(argument.arg for argument in rest)


def section(doc: str) -> tuple[str, ...] | None:
    """Names in the section Parameters, None if there is none."""
    match = re.search(r"^Parameters\n-+\n(.*?)(?:\n\n\S+\n-+\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    if match is None:
        return None
    heads = re.findall(r"^(\S.*)$", match[1], re.MULTILINE)
    return tuple(name.strip().lstrip("*") for head in heads for name in head.split(" : ")[0].split(","))


def faults(public: Public) -> list[str]:
    """What is wrong with the docstring of `public`, one line each."""
    found = []
    if not public.doc.partition("\n")[0].endswith((".", "?")):
        found.append(f"{public.name}: the first line is no sentence")
    named = section(public.doc)
    unnamed = [
        name for name in public.parameters if name not in (named or ()) and f"`{name}`" not in public.doc
    ]
    elsewhere = re.search(r"parameters\b.*\bas of :", public.doc, re.IGNORECASE)
    if unnamed and not elsewhere and (named is not None or len(public.parameters) > FEW):
        found.append(f"{public.name}: not described: {', '.join(unnamed)}")
    known = {*public.parameters, *public.rest}
    if known and named is not None and (unknown := set(named) - known):
        found.append(f"{public.name}: describes {', '.join(sorted(unknown))}, which it does not take")
    return found


def test_docstrings_say_what_the_signatures_say() -> None:
    every = list(exported(ROOT / "streamapp"))
    assert len(every) > 200
    assert [fault for public in every for fault in faults(public)] == []


GOOD = '''
__all__ = ["f"]
def f(a, b=1, *, c, **options):
    """Add.

    Parameters
    ----------
    a, b
        Numbers.
    **options
        Passed on to
        whoever wants them.

    Raises
    ------
    ValueError
        If `c` is odd.
    """
'''


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Add.", "Add", "f: the first line is no sentence"),
        ("a, b\n", "a\n", "f: not described: b"),
        ("`c`", "it", "f: not described: c"),
        ("(a, b=1", "(a", "f: describes b, which it does not take"),
        ('["f"]', '["f", "g"]\ndef g(a, b, c, d, e):\n    """Add."""', "g: not described: a, b, c, d, e"),
        ('["f"]', '["f", "G"]\nclass G:\n    """A."""\n    def h(self): ...', "G.h: the first line is no"),
    ],
)
def test_a_planted_fault_is_found(old: str, new: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(GOOD)
    assert [fault for public in exported(tmp_path) for fault in faults(public)] == []
    (tmp_path / "a.py").write_text(GOOD.replace(old, new, 1))
    (found,) = (fault for public in exported(tmp_path) for fault in faults(public))
    assert fault in found
