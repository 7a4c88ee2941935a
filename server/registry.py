"""Finds the models in the folders the server was given, and says which of their files may be sent.

In a root and the folders below it (three levels), these are models:

| what lies there                                 | kind       | id (of ROOT/a/b)            |
|-------------------------------------------------|------------|-----------------------------|
| manifest.json, for shard-aa, shard-ab, ...      | manifest   | a-b                         |
| shard-aa, shard-ab, ... without a manifest      | shards     | a-b                         |
| NAME.gguf                                       | gguf       | a-b-NAME.gguf               |
| NAME-00001-of-0000N.gguf, complete              | gguf-split | a-b-NAME-of-0000N.gguf      |

What looks like a model and is not usable becomes a problem, with the error's code, message and hint.
Whether a GGUF holds a model that voxtab knows is for the tab to find out: the server never parses one.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase
from urllib.parse import quote

from server.digests import Claim, Signature
from server.roots import is_inside, is_plain_name
from voxtab.errors import VoxtabError
from voxtab.formats.manifest import MAX_TEXT_BYTES, parse_manifest

MAX_DEPTH = 3
MAX_FOLDERS = 2000  # a root that is somebody's home folder must not keep the server busy
MANIFEST = "manifest.json"
TOKENIZER = "tekken.json"
SPEECH_TO_TEXT = "speech-to-text"

_SHARD = re.compile(r"shard-([a-z]{2,4})")
_SPLIT = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf")


@dataclass(frozen=True)
class ModelFile:
    """A file of a model, and what its manifest says about it where there is one."""

    name: str
    path: Path
    bytes: int
    claim: Claim | None = None


@dataclass(frozen=True)
class Model:
    """One entry of /api/models. `files` are in the order in which they make up the GGUF (or its splits)."""

    id: str
    name: str
    kind: str
    root: Path
    folder: Path
    files: tuple[ModelFile, ...]
    task: str | None = None
    licence: str | None = None
    description: str | None = None
    default: bool = False

    @property
    def has_manifest(self) -> bool:
        return self.kind == "manifest"

    def url(self, name: str) -> str:
        return f"/models/{self.id}/{quote(name)}"

    def find(self, name: str) -> ModelFile | None:
        """The file that /models/ID/NAME stands for: one of `files`, their manifest, or a tokenizer beside
        them.

        None for all else, and for what has gone or leads out of the root.
        """
        companions = [TOKENIZER, *([MANIFEST] if self.has_manifest else [])]
        known = next((file for file in self.files if file.name == name), None)
        if known is None and name in companions:
            known = ModelFile(name, self.folder / name, 0)
        if known is None or not known.path.is_file() or not is_inside(self.root, known.path):
            return None
        return known

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "name": self.name,
            "task": self.task,
            "kind": self.kind,
            "bytes": sum(file.bytes for file in self.files),
            "default": self.default,
            "licence": self.licence,
            "description": self.description,
            "manifest": self.url(MANIFEST) if self.has_manifest else None,
            "tokenizer": self.url(TOKENIZER) if self.find(TOKENIZER) else None,
            "files": [{"name": f.name, "url": self.url(f.name), "bytes": f.bytes} for f in self.files],
        }


@dataclass(frozen=True)
class Problem:
    """Something that looks like a model but cannot be offered."""

    where: str
    error: VoxtabError

    def to_json(self) -> dict[str, str]:
        return {"where": self.where, **self.error.to_json()}


@dataclass(frozen=True)
class Catalogue:
    """What one scan found. Ids are unique; at most one model is the default."""

    models: tuple[Model, ...] = ()
    problems: tuple[Problem, ...] = ()

    def find(self, model_id: str) -> Model | None:
        return next((model for model in self.models if model.id == model_id), None)

    def to_json(self) -> dict[str, object]:
        return {
            "models": [model.to_json() for model in self.models],
            "problems": [problem.to_json() for problem in self.problems],
        }


def scan(roots: Sequence[Path]) -> Catalogue:
    """All models below `roots`, in their order. Roots that do not exist (yet) hold none.

    The default is the first that turns speech into text and, so that nobody's first visit loads gigabytes
    unasked, comes with a manifest; else there is none.
    """
    models: list[Model] = []
    problems: list[Problem] = []
    for root in roots:
        for folder, names in _folders(root):
            for found in _models_in(root, folder, names):
                if isinstance(found, Problem):
                    problems.append(found)
                else:
                    models.append(replace(found, id=_unused(found.id, {model.id for model in models})))
    for i, model in enumerate(models):
        if model.task == SPEECH_TO_TEXT:
            models[i] = replace(model, default=True)
            break
    return Catalogue(tuple(models), tuple(problems))


def _folders(root: Path) -> Iterator[tuple[Path, dict[str, int]]]:
    """Folders at most MAX_DEPTH below `root`, itself first, each with its servable files and their sizes."""
    waiting = [(root, 0)]
    for _ in range(MAX_FOLDERS):
        if not waiting:
            return
        folder, depth = waiting.pop(0)
        files: dict[str, int] = {}
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = folder / entry.name
            if not is_plain_name(entry.name) or not is_inside(root, path):
                continue
            if path.is_file():
                files[entry.name] = path.stat().st_size
            elif path.is_dir() and depth < MAX_DEPTH:
                waiting.append((path, depth + 1))
        yield folder, files


def _models_in(root: Path, folder: Path, sizes: dict[str, int]) -> Iterator[Model | Problem]:
    names = folder.relative_to(root).parts or (root.resolve().name,)
    here, prefix = "-".join(names), "-".join(folder.relative_to(root).parts)
    shards = [name for name in sizes if _SHARD.fullmatch(name)]
    if MANIFEST in sizes:
        # Any manifest.json may lie about in a folder; only beside shards, or naming some, is it ours.
        found = _manifest_set(root, folder, here, sizes[MANIFEST])
        if isinstance(found, Model) or shards:
            yield found
    elif shards:
        yield _bare_set(root, folder, here, {name: sizes[name] for name in shards})
    splits: dict[tuple[str, str], list[str]] = {}
    for name in sizes:
        if part := _SPLIT.fullmatch(name):
            splits.setdefault((part[1], part[3]), []).append(name)
        elif name.endswith(".gguf"):
            file = ModelFile(name, folder / name, sizes[name])
            yield Model(_slug(prefix, name), name.removesuffix(".gguf"), "gguf", root, folder, (file,))
    for (name, count), parts in splits.items():
        yield _split_set(
            root, folder, _slug(prefix, f"{name}-of-{count}.gguf"), name, int(count), parts, sizes
        )


def _manifest_set(root: Path, folder: Path, here: str, size: int) -> Model | Problem:
    """A set with a valid manifest is offered even when shards are missing: the tab then says which."""
    try:
        # One byte more than allowed is enough for the parser to refuse it.
        with (folder / MANIFEST).open("rb") as file:
            written_ns = Signature.of(os.fstat(file.fileno())).touched_ns
            manifest = parse_manifest(file.read(min(size, MAX_TEXT_BYTES) + 1))
    except OSError as error:
        return Problem(
            here, VoxtabError("manifest-invalid", f"manifest.json cannot be read: {error.strerror}.")
        )
    except VoxtabError as error:
        return Problem(here, error)
    return Model(
        id=_slug(here),
        name=manifest.model.name,
        kind="manifest",
        root=root,
        folder=folder,
        files=tuple(
            ModelFile(shard.name, folder / shard.name, shard.bytes, Claim(shard.sha256, written_ns))
            for shard in manifest.shards
        ),
        task=manifest.model.task,
        licence=manifest.model.licence,
        description=manifest.model.description,
    )


def _bare_set(root: Path, folder: Path, here: str, sizes: dict[str, int]) -> Model | Problem:
    first = min(sizes)
    letters = product(ascii_lowercase, repeat=len(first.removeprefix("shard-")))
    expected = ["shard-" + "".join(word) for word in islice(letters, len(sizes))]
    if missing := sorted(set(expected) - set(sizes)):
        return Problem(
            here,
            VoxtabError(
                "shard-missing",
                f"{missing[0]} is not among the {len(sizes)} shards of {here}.",
                "Fetch it again, or split the model anew with: voxtab-shards split MODEL.gguf -o DIR",
            ),
        )
    files = tuple(ModelFile(name, folder / name, sizes[name]) for name in expected)
    return Model(_slug(here), here, "shards", root, folder, files)


def _split_set(
    root: Path, folder: Path, model_id: str, name: str, count: int, parts: list[str], sizes: dict[str, int]
) -> Model | Problem:
    expected = [f"{name}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)]
    if missing := [part for part in expected if part not in sizes] or sorted(set(parts) - set(expected)):
        return Problem(
            name,
            VoxtabError(
                "shard-missing",
                f"{missing[0]} is missing or out of place among the {count} parts of {name}.",
                "Fetch all parts of the model again.",
            ),
        )
    files = tuple(ModelFile(part, folder / part, sizes[part]) for part in expected)
    return Model(model_id, name, "gguf-split", root, folder, files)


def _slug(*parts: str) -> str:
    joined = "-".join(part for part in parts if part)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", joined).strip("-.") or "model"


def _unused(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or with a number behind it where an earlier root has a model of that id."""
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, len(set(taken)) + 3) if f"{wanted}-{n}" not in taken)
