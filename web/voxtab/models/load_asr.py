"""Loads Voxtral Realtime: directory -> checked shapes -> buffers and pieces -> weights on the GPU."""

from voxtab.errors import VoxtabError
from voxtab.formats.gguf import GgufTensor
from voxtab.formats.gguf_split import MergedGguf
from voxtab.formats.tekken import GGUF_VOCAB_KEY, Tekken
from voxtab.gpu.base import Buffer, Gpu
from voxtab.models.asr import AsrModel, AudioEncoder, TextDecoder
from voxtab.models.asr_config import AsrConfig, StackConfig
from voxtab.models.log_mel import FREQUENCIES, WINDOW, mel_filters, mel_spans, windowed_dft
from voxtab.models.source import ModelSource
from voxtab.models.tensor_names import ADAPTER, ENCODER, TOKEN_EMBEDDING, short_name
from voxtab.nn.block import TransformerBlock
from voxtab.nn.upload import PLAIN_TYPES, Upload
from voxtab.nn.weights import Linear, Segment, Weight


async def load_asr(
    gpu: Gpu, source: ModelSource, directory: MergedGguf, tekken_beside: bytes | None
) -> tuple[AsrModel, Tekken]:
    """The model on the GPU, and its tokenizer. All that the header tells is checked before weights are read.

    Raises VoxtabError: not-voxtral, unsupported-type, tokenizer-invalid, adapter-too-small, and what the source
    raises. On any failure, cancellation included, nothing stays allocated.
    """
    config = AsrConfig.from_gguf(directory.metadata)
    upload = Upload(gpu)
    tables: list[Buffer] = []
    try:
        loader = _Loader(directory, upload)
        model = loader.model(gpu, config, tables)
        tekken = _load_tekken(directory, tekken_beside, config)
        await gpu.ready()
        pieces = upload.ordered()
        for stream in range(len(source.stream_bytes)):
            await source.upload(gpu, stream, [piece for piece in pieces if piece.file == stream])
        await gpu.drain()
    except BaseException:
        upload.abandon()
        for buffer in tables:
            gpu.free(buffer)
        raise
    model.owned = [*upload.made, *tables]
    upload.finish()
    return model, tekken


def _load_tekken(directory: MergedGguf, beside: bytes | None, config: AsrConfig) -> Tekken:
    """The tokenizer from the GGUF's metadata, else from a tekken.json lying beside the file."""
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
    if tekken.vocab_size < config.vocab_size:
        raise VoxtabError(
            "tokenizer-invalid",
            f"The tokenizer has {tekken.vocab_size} entries; the model writes {config.vocab_size}.",
            "Use the tekken.json of the same checkpoint as the model.",
        )
    return tekken


class _Loader:
    """Asks the directory for each tensor by Mistral's name, checks its shape, and plans its upload."""

    def __init__(self, directory: MergedGguf, upload: Upload) -> None:
        self._tensors = directory.tensors
        self._upload = upload

    def model(self, gpu: Gpu, config: AsrConfig, tables: list[Buffer]) -> AsrModel:
        filters = mel_filters(config.num_mel_bins)
        spans = mel_spans(filters, config.num_mel_bins)
        for data, label in ((windowed_dft(), "dft"), (filters, "mel filters"), (spans, "mel spans")):
            table = gpu.buffer(len(data) * 4, label)
            gpu.write(table, 0, memoryview(data))
            tables.append(table)
        return AsrModel(gpu, config, self._encoder(config, tables), self._decoder(config))

    def _encoder(self, config: AsrConfig, tables: list[Buffer]) -> AudioEncoder:
        e, d = config.encoder.dim, config.decoder.dim
        dft, filters, spans = tables
        rows = 2 * FREQUENCIES
        conv = ENCODER + "conv_layers."
        return AudioEncoder(
            dft=Linear(Weight("f32", rows, WINDOW, (Segment(0, rows, dft, None),))),
            mel_filters=filters,
            mel_spans=spans,
            conv0=self._conv(f"{conv}0.conv.", e, config.num_mel_bins),
            conv1=self._conv(f"{conv}1.conv.", e, e),
            blocks=tuple(
                self._block(f"{ENCODER}transformer.layers.{i}.", config.encoder, biases=True)
                for i in range(config.encoder.n_layers)
            ),
            norm=self._vector(ENCODER + "transformer.norm.weight", e),
            adapter0=self._linear(ADAPTER + "0.", d, e * config.downsample_factor),
            adapter2=self._linear(ADAPTER + "2.", d, d),
        )

    def _decoder(self, config: AsrConfig) -> TextDecoder:
        d = config.decoder.dim
        layers = range(config.decoder.n_layers)
        ada = [f"layers.{i}.ada_rms_norm_t_cond." for i in layers]
        return TextDecoder(
            embedding=self._linear(TOKEN_EMBEDDING.removesuffix("weight"), config.vocab_size, d),
            blocks=tuple(self._block(f"layers.{i}.", config.decoder, biases=False) for i in layers),
            ada0=tuple(self._linear(f"{name}0.", config.ada_dim, d) for name in ada),
            ada2=tuple(self._linear(f"{name}2.", d, config.ada_dim) for name in ada),
            norm=self._vector("norm.weight", d),
        )

    def _block(self, prefix: str, stack: StackConfig, biases: bool) -> TransformerBlock:
        d, f = stack.dim, stack.hidden_dim
        a, k = stack.n_heads * stack.head_dim, stack.n_kv_heads * stack.head_dim
        return TransformerBlock(
            attention_norm=self._vector(prefix + "attention_norm.weight", d),
            wq=self._linear(prefix + "attention.wq.", a, d, biases),
            wk=self._linear(prefix + "attention.wk.", k, d),
            wv=self._linear(prefix + "attention.wv.", k, d, biases),
            wo=self._linear(prefix + "attention.wo.", d, a, biases),
            ffn_norm=self._vector(prefix + "ffn_norm.weight", d),
            w1=self._linear(prefix + "feed_forward.w1.", f, d),
            w2=self._linear(prefix + "feed_forward.w2.", d, f, biases),
            w3=self._linear(prefix + "feed_forward.w3.", f, d),
            norm_eps=stack.norm_eps,
        )

    def _linear(self, prefix: str, rows: int, cols: int, bias: bool = False) -> Linear:
        weight = self._upload.matrix(*self._find(prefix + "weight", (rows, cols)))
        return Linear(weight, self._vector(prefix + "bias", rows) if bias else None)

    def _conv(self, prefix: str, outputs: int, inputs: int) -> Linear:
        weight = self._upload.convolution(*self._find(prefix + "weight", (outputs, inputs, 3)))
        return Linear(weight, self._vector(prefix + "bias", outputs))

    def _vector(self, name: str, size: int) -> Buffer:
        return self._upload.vector(*self._find(name, (size,)))

    def _find(self, name: str, shape: tuple[int, ...]) -> tuple[int, GgufTensor]:
        found = self._tensors.get(name) or self._tensors.get(short_name(name))
        if found is None:
            raise _refuse(f"the tensor {short_name(name)} ({name}) is missing")
        # GGUF writers drop outer dimensions of 1, and some keep biases as [1, n].
        actual, plain = found[1].shape, found[1].type in PLAIN_TYPES
        if actual != shape and not (plain and _squeezed(actual) == _squeezed(shape)):
            raise _refuse(f"{found[1].name} has shape {list(actual)}, not {list(shape)}")
        file, tensor = found
        return file, GgufTensor(tensor.name, tensor.type, shape, tensor.offset, tensor.nbytes)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _refuse(reason: str) -> VoxtabError:
    return VoxtabError(
        "not-voxtral",
        f"This GGUF does not hold a whole Voxtral Realtime model: {reason}.",
        "Make the file again with voxtab-shards quantize, or download another one.",
    )
