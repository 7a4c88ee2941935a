"""manifest.json: what a set of shards holds, and the SHA-256 of every part of it. Schema, version 1:

    {
      "format": "voxtab-shards",
      "version": 1,
      "model": {
        "name": str,                    shown to people
        "task": "speech-to-text" | "text-to-speech",
        "architecture": str,            general.architecture of the GGUF
        "licence": str,                 SPDX name of the weights' licence
        "source": str | null,           where the weights come from
        "description": str | null
      },
      "file": {"name": str, "bytes": int, "sha256": hex},          the GGUF that `cat shard-*` gives
      "chunk_bytes": int,               8388608; 4096 to 16777216
      "shards": [                       in file order, at most 512 MiB each
        {"name": "shard-aa", "bytes": int, "sha256": hex, "chunks": [hex, ...]}, ...
      ],
      "tokenizer": {"kind": "tekken", "vocab_size": int, "embedded": bool} | null
    }

`chunks` are the SHA-256 of each `chunk_bytes` of the shard; they start anew at each shard, and the last of a
shard may be short. `embedded` tells that the vocabulary is in the GGUF's metadata; otherwise tekken.json lies
beside the shards. Hashes are 64 lower-case hexadecimal digits, texts are single printable lines. Keys not
listed here are ignored; a change that an older reader must not ignore raises `version`.
"""

import itertools
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Final, NoReturn

from voxtab.errors import VoxtabError
from voxtab.formats.json_nesting import check_nesting

__all__ = [
    "CHUNK_BYTES",
    "MAX_SHARD_BYTES",
    "FileInfo",
    "Manifest",
    "ManifestError",
    "ModelInfo",
    "Shard",
    "TokenizerInfo",
    "parse_manifest",
]

FORMAT: Final = "voxtab-shards"
VERSION: Final = 1
TASKS: Final = ("speech-to-text", "text-to-speech")
CHUNK_BYTES: Final = 8 << 20
MAX_SHARD_BYTES: Final = 512 << 20
MIN_CHUNK_BYTES: Final = 4096
MAX_CHUNK_BYTES: Final = 16 << 20  # a chunk is held whole in memory until its hash is known to be right
MAX_TEXT_BYTES: Final = 4 << 20
MAX_FILE_BYTES: Final = 1 << 53  # beyond this, JavaScript's numbers are not exact
MAX_VOCAB: Final = 1 << 24

_SHARD_NAME = re.compile(r"shard-[a-z]{2,4}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ManifestError(VoxtabError):
    """Code `manifest-invalid`."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    name: str
    task: str
    architecture: str
    licence: str
    source: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class FileInfo:
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shard:
    name: str
    bytes: int
    sha256: str
    chunks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenizerInfo:
    kind: str
    vocab_size: int
    embedded: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    model: ModelInfo
    file: FileInfo
    chunk_bytes: int
    shards: tuple[Shard, ...]
    tokenizer: TokenizerInfo | None = None

    def to_json(self) -> str:
        """The text of manifest.json. Raises ManifestError when what it would say is against the schema."""
        fields = {"format": FORMAT, "version": VERSION, **asdict(self)}
        text = json.dumps(fields, indent=1, ensure_ascii=False) + "\n"
        parse_manifest(text)
        return text


def parse_manifest(text: str | bytes) -> Manifest:
    """Check a manifest's text against the schema above. Raises ManifestError, which names the first fault."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > MAX_TEXT_BYTES:
        _fail(f"it has {len(data)} bytes; at most {MAX_TEXT_BYTES} are accepted")
    try:
        check_nesting(data)
        root = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        _fail(f"it is not JSON ({error})")
    fields = _Fields(root, "the manifest")
    if fields.get("format") != FORMAT:
        _fail(f'"format" is not "{FORMAT}"')
    if fields.integer("version", 1, MAX_FILE_BYTES) != VERSION:
        _fail(f"its version is {fields.get('version')}; this voxtab reads version {VERSION}")
    chunk_bytes = fields.integer("chunk_bytes", MIN_CHUNK_BYTES, MAX_CHUNK_BYTES)
    manifest = Manifest(
        model=_model(fields.object("model")),
        file=_file(fields.object("file")),
        chunk_bytes=chunk_bytes,
        shards=_shards(fields.get("shards"), chunk_bytes),
        tokenizer=None if fields.get("tokenizer") is None else _tokenizer(fields.object("tokenizer")),
    )
    total = sum(shard.bytes for shard in manifest.shards)
    if total != manifest.file.bytes:
        _fail(f"its shards add up to {total} bytes, but file.bytes is {manifest.file.bytes}")
    return manifest


def _fail(reason: str) -> NoReturn:
    raise ManifestError(
        "manifest-invalid",
        f"manifest.json is not usable: {reason}.",
        "Write it anew with: voxtab-shards split MODEL.gguf -o DIR",
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _model(fields: "_Fields") -> ModelInfo:
    task = fields.text("task", 40)
    if task not in TASKS:
        _fail(f"model.task is {task!r}; known are {' and '.join(TASKS)}")
    return ModelInfo(
        name=fields.text("name", 200),
        task=task,
        architecture=fields.text("architecture", 100),
        licence=fields.text("licence", 200),
        source=fields.optional_text("source", 2000),
        description=fields.optional_text("description", 4000),
    )


def _file(fields: "_Fields") -> FileInfo:
    name = fields.text("name", 255)
    # It becomes the name of a file on the disk of whoever joins the shards.
    if name.startswith(".") or any(mark in name for mark in '/\\:*?"<>|'):
        _fail(f"file.name {name!r} is not a plain file name")
    return FileInfo(name, fields.integer("bytes", 1, MAX_FILE_BYTES), fields.sha256("sha256"))


def _shards(items: Any, chunk_bytes: int) -> tuple[Shard, ...]:
    if not isinstance(items, list) or not items:
        _fail('"shards" is not a list of shards')
    shards = tuple(_shard(_Fields(item, f"shards[{i}]"), chunk_bytes) for i, item in enumerate(items))
    for before, after in itertools.pairwise(shards):
        if not before.name < after.name:
            _fail(f"{after.name} comes after {before.name}; `cat shard-*` would join them in another order")
    return shards


def _shard(fields: "_Fields", chunk_bytes: int) -> Shard:
    name = fields.text("name", 20)
    if not _SHARD_NAME.fullmatch(name):
        _fail(f"{name!r} is not a shard's name; they are shard-aa, shard-ab, and so on")
    size = fields.integer("bytes", 1, MAX_SHARD_BYTES)
    chunks = fields.get("chunks")
    if not isinstance(chunks, list) or not all(_is_sha256(chunk) for chunk in chunks):
        _fail(f"the chunks of {name} are not a list of SHA-256 in lower-case hexadecimal")
    expected = -(-size // chunk_bytes)
    if len(chunks) != expected:
        _fail(f"{name} lists {len(chunks)} chunks; {size} bytes make {expected} of {chunk_bytes}")
    return Shard(name, size, fields.sha256("sha256"), tuple(chunks))


def _tokenizer(fields: "_Fields") -> TokenizerInfo:
    if fields.get("kind") != "tekken":
        _fail('tokenizer.kind is not "tekken"')
    embedded = fields.get("embedded")
    if not isinstance(embedded, bool):
        _fail("tokenizer.embedded is neither true nor false")
    return TokenizerInfo("tekken", fields.integer("vocab_size", 1, MAX_VOCAB), embedded)


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


class _Fields:
    """One JSON object; each method takes a field out of it in the type it must have."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            _fail(f"{path} is not an object")
        self._fields: dict[str, Any] = value
        self._path = path

    def get(self, key: str) -> Any:
        return self._fields.get(key)

    def object(self, key: str) -> "_Fields":
        return _Fields(self.get(key), f'"{key}"')

    def integer(self, key: str, least: int, most: int) -> int:
        value = self.get(key)
        if type(value) is not int or not least <= value <= most:
            _fail(f"{key} of {self._path} is not an integer from {least} to {most}")
        return value

    def text(self, key: str, max_chars: int) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not value or len(value) > max_chars or not value.isprintable():
            _fail(f"{key} of {self._path} is not a line of 1 to {max_chars} printable characters")
        return value

    def optional_text(self, key: str, max_chars: int) -> str | None:
        return None if self.get(key) is None else self.text(key, max_chars)

    def sha256(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not _is_sha256(value):
            _fail(f"{key} of {self._path} is not a SHA-256 in lower-case hexadecimal")
        return value
