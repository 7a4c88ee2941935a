"""The engine's bundle: what is in it, that it runs as it is, and that the same input gives the same bytes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from server.engine_build import build_engine, engine_files, pyodide_python
from tests.unit.server_site import write
from voxtab import __version__, kernels
from voxtab.errors import VoxtabError

PACKAGE = Path(kernels.__file__).parents[1]
KERNELS = {"matvec(rows=8)": "// wgsl", "advance": "@compute fn main() {}"}


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A checkout's web folder with a package of a few files, and a Pyodide that has Python 3.14."""
    web = tmp_path / "web"
    write(web / "voxtab" / "__init__.py", "value = 1\n")
    write(web / "voxtab" / "gpu" / "__init__.py", "")
    write(web / "voxtab" / "gpu" / "native.py", "import wgpu\n")
    write(web / "voxtab" / "gpu" / "browser.py", "import js\n")
    write(web / "voxtab" / "cli" / "__init__.py", "import typer\n")
    write(web / "voxtab" / "cli" / "transcribe.py", "import typer\n")
    write(web / "voxtab" / "kernels" / "__init__.py", "def f(x): return x + 1\n")
    write(web / "voxtab" / "kernels" / "matvec.wgsl", "{{ template }}")
    write(web / "voxtab" / "__pycache__" / "__init__.cpython-311.pyc", "x")
    write(web / "voxtab" / "py.typed", "")
    set_pyodide_python(web, "3.14.2")
    return web


def set_pyodide_python(web: Path, version: str) -> None:
    lock = {"info": {"python": version}, "packages": {}}
    write(web / "node_modules" / "pyodide" / "pyodide-lock.json", json.dumps(lock))


def build(web: Path, python: tuple[int, int] = (3, 11)) -> bool:
    return build_engine(web, render=lambda: KERNELS, python=python)


def entries(web: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(web / "build" / "voxtab.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_bundle_has_the_engine_and_rendered_kernels_and_nothing_native(web: Path) -> None:
    assert build(web)
    assert list(entries(web)) == [
        "voxtab/__init__.py",
        "voxtab/gpu/__init__.py",
        "voxtab/gpu/browser.py",
        "voxtab/kernels/__init__.py",
        "voxtab/kernels/rendered.json",
    ]
    assert json.loads(entries(web)["voxtab/kernels/rendered.json"]) == KERNELS
    assert entries(web)["voxtab/__init__.py"] == b"value = 1\n"


def test_engine_json_describes_the_bundle(web: Path) -> None:
    build(web)
    bundle = (web / "build" / "voxtab.zip").read_bytes()
    info = json.loads((web / "build" / "engine.json").read_text())
    assert info["version"] == __version__
    assert info["bytes"] == len(bundle)
    assert info["sha256"] == hashlib.sha256(bundle).hexdigest()


@pytest.mark.parametrize("python", [(3, 14), (3, 11)])
def test_the_same_input_gives_the_same_bytes_wherever_and_whenever(
    web: Path, tmp_path: Path, python: tuple[int, int]
) -> None:
    build(web, python)
    first = (web / "build" / "voxtab.zip").read_bytes()
    copy = tmp_path / "another place" / "web"
    shutil.copytree(web, copy, ignore=shutil.ignore_patterns("build"))
    for path in copy.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    build(copy, python)
    assert (copy / "build" / "voxtab.zip").read_bytes() == first


def test_a_second_build_writes_nothing(web: Path) -> None:
    build(web)
    paths = [web / "build" / "voxtab.zip", web / "build" / "engine.json"]
    before = [path.stat() for path in paths]
    os.utime(web / "voxtab" / "__init__.py")
    assert not build(web)
    assert [path.stat() for path in paths] == before


@pytest.mark.parametrize("change", ["edit", "add", "remove", "kernels", "pyodide", "bundle", "description"])
def test_whatever_changes_the_bundle_is_rebuilt(web: Path, change: str) -> None:
    build(web)
    kernels_now = KERNELS
    match change:
        case "edit":
            write(web / "voxtab" / "__init__.py", "value = 2\n")
        case "add":
            write(web / "voxtab" / "more.py", "")
        case "remove":
            (web / "voxtab" / "gpu" / "browser.py").unlink()
        case "kernels":
            kernels_now = {**KERNELS, "advance": "// changed"}
        case "pyodide":
            set_pyodide_python(web, "3.11.9")
        case "bundle":
            write(web / "build" / "voxtab.zip", b"damaged")
        case "description":
            write(web / "build" / "engine.json", "{")
    assert build_engine(web, render=lambda: kernels_now, python=(3, 11))
    assert not build_engine(web, render=lambda: kernels_now, python=(3, 11))


def test_with_pyodides_own_python_it_is_bytecode_that_runs(web: Path) -> None:
    set_pyodide_python(web, ".".join(map(str, sys.version_info[:3])))
    build_engine(web, render=lambda: KERNELS)
    names = list(entries(web))
    assert "voxtab/kernels/__init__.pyc" in names
    assert not any(name.endswith(".py") for name in names)
    assert run_bundled(web, "import voxtab, voxtab.kernels as k; print(k.f(41), voxtab.value)") == "42 1"


def test_what_is_bundled_needs_nothing_but_the_standard_library(web: Path) -> None:
    shutil.copytree(PACKAGE, web / "voxtab", dirs_exist_ok=True)
    build_engine(web, python=(3, 11))
    code = """
import sys, voxtab.formats.gguf, voxtab.formats.manifest, voxtab.formats.tekken, voxtab.formats.wav
import voxtab.kernels as kernels
texts = [kernels.source(name, **parameters) for name, parameters in kernels.variants()]
assert all("@compute" in text for text in texts), "not rendered"
foreign = {name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"voxtab", "__main__"}
print(len(texts), sorted(name for name in foreign if not name.startswith("_")))
"""
    assert run_bundled(web, code) == f"{len(kernels.variants())} []"


def run_bundled(web: Path, code: str) -> str:
    """What `code` prints when the bundle is all that can be imported besides the standard library."""
    start = f"import sys; sys.path.insert(0, {str(web / 'build' / 'voxtab.zip')!r})\n"
    command = [sys.executable, "-S", "-E", "-s", "-c", start + code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=web).stdout.strip()


def test_the_bundle_of_this_checkout_leaves_out_the_command_line_and_wgpu() -> None:
    names = set(engine_files(PACKAGE, {}))
    assert {"__init__.py", "errors.py", "formats/gguf.py", "kernels/rendered.json"} <= names
    assert "gpu/native.py" not in names
    assert not any(name.startswith("cli/") or name.endswith(".wgsl") for name in names)


@pytest.mark.parametrize("lock", ["{}", "[]", "", '{"info": {"python": 3}}', '{"info": {"python": "x.y"}}'])
def test_a_pyodide_that_is_not_one_is_an_error_saying_what_to_do(web: Path, lock: str) -> None:
    write(web / "node_modules" / "pyodide" / "pyodide-lock.json", lock)
    with pytest.raises(VoxtabError, match="npm ci"):
        build(web)
    assert not (web / "build").exists()


def test_the_version_is_that_of_the_lock_file(web: Path) -> None:
    assert pyodide_python(web / "node_modules" / "pyodide") == (3, 14)


def test_no_package_is_an_error(web: Path) -> None:
    shutil.rmtree(web / "voxtab")
    with pytest.raises(VoxtabError, match="no package"):
        build(web)
