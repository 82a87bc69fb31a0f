"""Which code computes: a hash of the sources that decide results, and of nothing that only talks about them."""

import ast
import hashlib
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import avs_lightning

DECISIVE = ("data", "models", "methods", "metrics", "training", "losses.py")
"""The rooms that compute."""
TALK = (
    "data/check.py", "data/problems.py", "data/stats.py", "metrics/names.py",
    "training/cost.py", "training/gradient_norm.py", "training/history.py", "training/loggers.py",
    "training/environment.py", "training/metrics_csv.py", "training/progress.py", "training/record.py",
    "training/run_log.py", "training/stops.py", "training/wandb_folders.py", "training/wandb_run.py",
    "training/wandb_variables.py",
)  # fmt: skip
"""Their files that check, show and note, and change no number."""
SPEECH = ("UserError", "say", "print", "console", "log", "logger", "logging", "warnings")
"""What is called to say something to people."""


@cache
def code_version() -> dict[str, Any]:
    """Return the package's version, hashes of its sources and, in a git checkout, the commit.

    "sources" is a hash of them all, "results" of what can change what a run computes: two runs with the same "results"
    can be compared, whatever has become of the messages, the reports and the command line in between.
    """
    root = Path(avs_lightning.__file__).parent
    everything, decisive = hashlib.sha256(), hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        name, source = file.relative_to(root), file.read_bytes()
        everything.update(str(name).encode() + source)
        if name.parts[0] in DECISIVE and name.as_posix() not in TALK:
            decisive.update(str(name).encode() + computation(source).encode())
    hashes = {"sources": everything.hexdigest()[:12], "results": decisive.hexdigest()[:12]}
    version: dict[str, Any] = {"version": avs_lightning.__version__, **hashes}
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run([*git, "status", "--porcelain", "."], capture_output=True, text=True, check=True).stdout
        version |= {"commit": commit, "dirty": bool(dirty)}
    except (OSError, subprocess.CalledProcessError):
        pass  # not a checkout: the hash of the sources speaks for the code
    return version


def computation(source: bytes) -> str:
    """Return what a source computes: its syntax tree, with no comment, docstring or sentence for people in it."""
    return _form(_Wordless().visit(ast.parse(source)))


def _form(node: Any) -> str:
    """Write a syntax tree as `ast.dump` does, but alike in all versions of Python: these differ in empty fields."""
    if isinstance(node, ast.AST):
        fields = [f"{name}={_form(value)}" for name, value in ast.iter_fields(node) if value not in (None, [])]
        return f"{type(node).__name__}({', '.join(fields)})"
    return f"[{', '.join(map(_form, node))}]" if isinstance(node, list) else repr(node)


class _Wordless(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        called = node.func
        while isinstance(called, ast.Attribute):
            called = called.value
        if isinstance(called, ast.Name) and called.id in SPEECH:
            return ast.Call(node.func, [], [])
        return self.generic_visit(node)
