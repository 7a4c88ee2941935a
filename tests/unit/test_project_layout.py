"""The folders stay what they are, and the engine stays something a browser can import."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "web" / "voxtab"

TOP_LEVEL = {
    *("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile"),
    *("server", "web", "shard_tools", "tests", "certs"),
}
# Runs natively only, and may use what pyproject.toml installs.
NATIVE = ("cli", "gpu/native.py")
# What a module may import besides the standard library and the engine itself.
ALSO = {
    "gpu/browser.py": {"js", "pyodide"},
    "tab/typed_arrays.py": {"js"},
    "kernels/__init__.py": {"jinja2"},  # natively and in the engine build; the browser gets rendered kernels
}
# In the standard library, but not in Pyodide, or of no use there.
NOT_IN_A_TAB = {"curses", "multiprocessing", "socket", "sqlite3", "ssl", "subprocess", "threading", "tkinter"}

IMPORT_ALL = """
import importlib, sys
folder, *modules = sys.argv[1:]
sys.path.insert(0, folder)
for module in modules:
    importlib.import_module(module)
"""


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name]


def engine_modules() -> list[str]:
    """Paths below web/voxtab of all modules that a browser loads."""
    paths = (path.relative_to(ENGINE).as_posix() for path in sorted(ENGINE.rglob("*.py")))
    return [path for path in paths if not path.startswith(NATIVE)]


def imported(source: str) -> Iterator[str]:
    """Top-level names of all modules that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "voxtab" if node.level else str(node.module).split(".")[0]


def test_the_top_level_holds_the_fixed_names_only() -> None:
    names = {name.split("/")[0] for name in tracked()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("module", engine_modules())
def test_the_engine_imports_the_standard_library_and_itself(module: str) -> None:
    names = set(imported((ENGINE / module).read_text()))
    allowed = (sys.stdlib_module_names - NOT_IN_A_TAB) | {"voxtab"} | ALSO.get(module, set())
    assert names <= allowed


def test_the_engine_loads_without_any_installed_package() -> None:
    needs_a_tab = {path for path, names in ALSO.items() if "js" in names}
    modules = [path for path in engine_modules() if path not in needs_a_tab]
    names = ["voxtab." + path.removesuffix(".py").replace("/", ".") for path in modules]
    bare = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(ENGINE.parent)]
    loaded = subprocess.run(
        [*bare, *(name.removesuffix(".__init__") for name in names)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = set()
    for parent, package in ((ROOT / "web", "voxtab"), (ROOT, "server"), (ROOT, "shard_tools")):
        for file in (parent / package).rglob("__init__.py"):
            found.add(".".join(file.parent.relative_to(parent).parts))
    assert set(listed) == found


def test_nothing_is_skipped_or_expected_to_fail() -> None:
    escapes = {"skip", "skipif", "xfail", "importorskip"}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and node.attr in escapes), f"{path}:{node.lineno}"
