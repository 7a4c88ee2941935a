"""Bundles the engine for Pyodide: `python -m server.engine_build` writes voxtab.zip and engine.json.

Both go to web/build. The zip holds the package `voxtab` without what only runs natively (the command line,
the wgpu backend) and with its kernels rendered, since there is no Jinja2 in the tab: kernels/rendered.json,
variant name to WGSL. pyodide-build zips it, and compiles it to bytecode where this Python has the minor
version of Pyodide's; elsewhere it stays source. The same input gives the same bytes: entries are sorted and
dated 1980.

engine.json: {"version", "sha256", "bytes" of the zip, "inputs": what it was made from}. It is written last,
and nothing is written when nothing changed.
"""

import hashlib
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from voxtab import __version__, kernels
from voxtab.errors import VoxtabError

ENGINE_ZIP = "voxtab.zip"
ENGINE_INFO = "engine.json"
PACKAGE = "voxtab"
NATIVE_ONLY = ("cli/", "gpu/native.py")
RENDERED = "kernels/rendered.json"
WEB = Path(__file__).resolve().parent.parent / "web"
# Changes when the same sources would be bundled differently.
RECIPE = 1


def build_engine(
    web: Path = WEB,
    *,
    render: Callable[[], Mapping[str, str]] = kernels.render_all,
    python: tuple[int, int] = sys.version_info[:2],
) -> bool:
    """Bundles web/voxtab into web/build, unless what lies there is up to date. Tells whether it wrote.

    `render` gives the kernels; `python` is the version that compiles. Raises VoxtabError without Pyodide.
    """
    files = engine_files(web / PACKAGE, render())
    compiled = python == pyodide_python(web / "node_modules" / "pyodide")
    recipe = {"recipe": RECIPE, "version": __version__, "bytecode": compiled and ".".join(map(str, python))}
    inputs = _fingerprint(files, json.dumps(recipe))
    build = web / "build"
    if _is_current(build, inputs):
        return False
    build.mkdir(parents=True, exist_ok=True)
    bundle = _bundle(files, compiled=compiled)
    (build / ENGINE_INFO).unlink(missing_ok=True)
    _replace(build / ENGINE_ZIP, bundle)
    info = {
        "version": __version__,
        "sha256": hashlib.sha256(bundle).hexdigest(),
        "bytes": len(bundle),
        "inputs": inputs,
    }
    _replace(build / ENGINE_INFO, (json.dumps(info, indent=1) + "\n").encode())
    return True


def engine_files(package: Path, kernel_sources: Mapping[str, str]) -> dict[str, bytes]:
    """The bundle's files, by their path inside the package: its modules, and the rendered kernels."""
    if not (package / "__init__.py").is_file():
        raise VoxtabError(
            "internal", f"There is no package in {package}.", "Run this in a checkout of voxtab."
        )
    files = {}
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if not name.startswith(NATIVE_ONLY):
            files[name] = path.read_bytes()
    rendered = json.dumps(dict(sorted(kernel_sources.items())), ensure_ascii=False, indent=0)
    return files | {RENDERED: rendered.encode()}


def pyodide_python(pyodide: Path) -> tuple[int, int]:
    """Major and minor version of the Python inside an unpacked Pyodide."""
    try:
        version = json.loads((pyodide / "pyodide-lock.json").read_bytes())["info"]["python"]
        major, minor = str(version).split(".")[:2]
        return int(major), int(minor)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VoxtabError(
            "internal", f"No Pyodide was found in {pyodide}.", "Install it with: npm ci, in the folder web"
        ) from error


def _fingerprint(files: Mapping[str, bytes], recipe: str) -> str:
    digest = hashlib.sha256(recipe.encode())
    for name, data in sorted(files.items()):
        digest.update(f"\n{name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def _is_current(build: Path, inputs: str) -> bool:
    try:
        info = json.loads((build / ENGINE_INFO).read_bytes())
        bundle = (build / ENGINE_ZIP).read_bytes()
        return bool(info["inputs"] == inputs and info["sha256"] == hashlib.sha256(bundle).hexdigest())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _bundle(files: Mapping[str, bytes], *, compiled: bool) -> bytes:
    # Imported here: it takes a second, which a build with nothing to do should not.
    from pyodide_build._py_compile import _py_compile_archive
    from pyodide_build.common import make_zip_archive

    with tempfile.TemporaryDirectory() as temporary:
        stage, archive = Path(temporary) / "stage", Path(temporary) / ENGINE_ZIP
        for name, data in files.items():
            path = stage / PACKAGE / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        make_zip_archive(archive, stage, compression_level=0)
        if compiled:
            with _bytecode_without_times():
                _py_compile_archive(archive, keep=False, verbose=False, compression_level=0)
        return _sealed(archive)


@contextmanager
def _bytecode_without_times() -> Iterator[None]:
    """While active, py_compile marks its output with a hash of the source, not with the time of a file."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = "315532800"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


def _sealed(archive: Path) -> bytes:
    """The archive with its files sorted, dated 1980 and compressed, and no entries for folders."""
    sealed = archive.with_suffix(".sealed")
    with zipfile.ZipFile(archive) as loose, zipfile.ZipFile(sealed, "w") as tight:
        for name in sorted(loose.namelist()):
            if name.endswith("/"):
                continue
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also when built elsewhere
            entry.external_attr = 0o100644 << 16
            tight.writestr(entry, loose.read(name), zipfile.ZIP_DEFLATED, compresslevel=9)
    return sealed.read_bytes()


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_bytes(data)
    temporary.replace(path)


def main() -> None:
    wrote = build_engine()
    print(f"web/build/{ENGINE_ZIP}: {'built' if wrote else 'up to date'}")


if __name__ == "__main__":
    main()
