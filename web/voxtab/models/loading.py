"""From a plan of a model to the model: its tokenizer, then its weights, streamed onto the GPU."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from voxtab.errors import VoxtabError
from voxtab.formats.gguf_split import MergedGguf
from voxtab.formats.tekken import GGUF_VOCAB_KEY, Tekken
from voxtab.gpu.base import Buffer, Gpu
from voxtab.models.source import ModelSource
from voxtab.nn.upload import Upload


class _Config(Protocol):
    @property
    def vocab_size(self) -> int: ...


class _Model(Protocol):
    owned: list[Buffer]

    @property
    def config(self) -> _Config: ...


Model = TypeVar("Model", bound=_Model)


async def load_model(
    plan: Callable[[Gpu, MergedGguf], tuple[Model, Upload]],
    gpu: Gpu,
    source: ModelSource,
    directory: MergedGguf,
    tekken_beside: bytes | None,
    meanwhile: Callable[[], None] = lambda: None,
) -> tuple[Model, Tekken]:
    """The model on the GPU, and its tokenizer. All that the header tells is checked before weights are read.

    plan: plan_asr or plan_tts. meanwhile: begins what may go on while the weights come. Raises VoxtabError: not-voxtral,
    unsupported-type, tokenizer-invalid, adapter-too-small, and what the source raises. On any failure, cancellation
    included, nothing stays allocated.
    """
    model, upload = plan(gpu, directory)
    try:
        tekken = load_tekken(directory, tekken_beside, model.config.vocab_size)
        await fill(gpu, source, upload, meanwhile)
    except BaseException:
        upload.abandon()
        raise
    model.owned = list(upload.made)
    upload.finish()
    return model, tekken


async def fill(
    gpu: Gpu, source: ModelSource, upload: Upload, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Stream the file once, carrying out what was planned."""
    await gpu.ready()
    meanwhile()
    pieces = upload.ordered()
    for stream in range(len(source.stream_bytes)):
        await source.upload(gpu, stream, [piece for piece in pieces if piece.file == stream])
    for program in upload.closing:
        gpu.run(program)
    await gpu.drain()


def load_tekken(directory: MergedGguf, beside: bytes | None, vocab_size: int) -> Tekken:
    """The tokenizer from the GGUF's metadata, else from a tekken.json lying beside the file. Raises TokenizerError."""
    if GGUF_VOCAB_KEY in directory.metadata:
        tekken = Tekken.from_gguf(directory.metadata)
    elif beside is not None:
        tekken = Tekken.from_json(beside)
    else:
        raise VoxtabError(
            "tokenizer-invalid",
            "This GGUF holds no tokenizer, and no tekken.json lies beside it.",
            "Put the model's tekken.json into the same folder, or make the file with voxtab-shards quantize.",
        )
    if tekken.vocab_size < vocab_size:
        raise VoxtabError(
            "tokenizer-invalid",
            f"The tokenizer has {tekken.vocab_size} entries; the model writes {vocab_size}.",
            "Use the tekken.json of the same checkpoint as the model.",
        )
    return tekken
