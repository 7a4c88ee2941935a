"""From tensors in a GGUF to layers on the GPU: asked for by Mistral's name, checked by shape, planned for upload."""

from collections.abc import Callable, Sequence

from voxtab.errors import VoxtabError
from voxtab.formats.gguf import GgufTensor
from voxtab.formats.gguf_split import MergedGguf
from voxtab.gpu.base import Buffer
from voxtab.models.stack_config import LayerSizes
from voxtab.nn.block import TransformerBlock
from voxtab.nn.upload import PLAIN_TYPES, Upload
from voxtab.nn.weights import Gated, Linear, Norm


class TensorLoader:
    """Makes layers of a file's tensors. `short_name`: Mistral's name -> the one our GGUFs use; a file may use either.

    All methods raise VoxtabError not-voxtral for a tensor that is absent or of another shape, unsupported-type,
    adapter-too-small.
    """

    def __init__(
        self, directory: MergedGguf, upload: Upload, short_name: Callable[[str], str], model: str
    ) -> None:
        self.upload = upload
        self._tensors = directory.tensors
        self._short_name = short_name
        self._model = model

    def block(
        self, prefix: str, sizes: LayerSizes, biases: bool = False, queries_apart: bool = False
    ) -> TransformerBlock:
        """A layer by the names all stacks share. `biases`: whether wq, wv, wo and w2 have one; `queries_apart`: whether
        queries must be a layer of their own."""
        d, f = sizes.dim, sizes.hidden_dim
        a, k = sizes.n_heads * sizes.head_dim, sizes.n_kv_heads * sizes.head_dim
        qkv = [
            (f"{prefix}attention.w{part}.", a if part == "q" else k, biases and part != "k") for part in "qkv"
        ]
        return TransformerBlock(
            attention_norm=self.norm(prefix + "attention_norm.weight", d, sizes.norm_eps),
            qkv=(*self.stacked(qkv[:1], d), *self.stacked(qkv[1:], d))
            if queries_apart
            else self.stacked(qkv, d),
            wo=self.linear(prefix + "attention.wo.", d, a, biases),
            ffn_norm=self.norm(prefix + "ffn_norm.weight", d, sizes.norm_eps),
            w1_w3=self.gated(prefix + "feed_forward.w1.", prefix + "feed_forward.w3.", f, d),
            w2=self.linear(prefix + "feed_forward.w2.", d, f, biases),
        )

    def stacked(self, parts: Sequence[tuple[str, int, bool]], cols: int) -> tuple[Linear, ...]:
        """Layers (prefix, rows, whether it has a bias) of one input, end to end: as few as the file's types allow."""
        found = [self.find(prefix + "weight", (rows, cols)) for prefix, rows, _ in parts]
        layers, rest = [], list(parts)
        for weight in self.upload.stacked(found):
            begin, biases = 0, []
            while begin < weight.rows:
                prefix, rows, biased = rest.pop(0)
                if biased:
                    biases.append((self.find(prefix + "bias", (rows,)), begin))
                begin += rows
            layers.append(Linear(weight, self.upload.vectors(biases, weight.rows) if biases else None))
        return tuple(layers)

    def gated(self, gate: str, up: str, rows: int, cols: int) -> Gated:
        """Two matrices of one shape, by their prefixes."""
        tensors = [self.find(prefix + "weight", (rows, cols)) for prefix in (gate, up)]
        both = self.upload.interleaved(tensors[0], tensors[1])
        weights = (both,) if both else tuple(self.upload.matrix(*tensor) for tensor in tensors)
        return Gated(tuple(map(Linear, weights)), rows)

    def norm(self, name: str, size: int, eps: float) -> Norm:
        return Norm(self.vector(name, size), eps)

    def linear(self, prefix: str, rows: int, cols: int, bias: bool = False) -> Linear:
        """`<prefix>weight` [rows, cols] and, if it has one, `<prefix>bias` [rows]."""
        weight = self.upload.matrix(*self.find(prefix + "weight", (rows, cols)))
        return Linear(weight, self.vector(prefix + "bias", rows) if bias else None)

    def convolution(self, prefix: str, outputs: int, inputs: int, taps: int) -> Linear:
        """`<prefix>weight` [outputs, inputs, taps] as a matrix over `taps` rows end to end, and its bias."""
        weight = self.upload.convolution(*self.find(prefix + "weight", (outputs, inputs, taps)))
        return Linear(weight, self.vector(prefix + "bias", outputs))

    def vector(self, name: str, size: int) -> Buffer:
        """f32[size]."""
        return self.upload.vector(*self.find(name, (size,)))

    def find(self, name: str, shape: tuple[int, ...]) -> tuple[int, GgufTensor]:
        """The number of the file and the tensor in it, for Upload's methods."""
        found = self._tensors.get(name) or self._tensors.get(self._short_name(name))
        if found is None:
            raise self._refusal(f"the tensor {self._short_name(name)} ({name}) is missing")
        # GGUF writers drop outer dimensions of 1, and some keep biases as [1, n].
        actual, plain = found[1].shape, found[1].type in PLAIN_TYPES
        if actual != shape and not (plain and _squeezed(actual) == _squeezed(shape)):
            raise self._refusal(f"{found[1].name} has shape {list(actual)}, not {list(shape)}")
        file, tensor = found
        return file, GgufTensor(tensor.name, tensor.type, shape, tensor.offset, tensor.nbytes)

    def _refusal(self, reason: str) -> VoxtabError:
        return VoxtabError(
            "not-voxtral",
            f"This GGUF does not hold a whole {self._model} model: {reason}.",
            "Make the file again with voxtab-shards quantize, or download another one.",
        )


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)
