"""Weights on the GPU: matrices in pieces that fit one binding, vectors as plain f32."""

from dataclasses import dataclass

from voxtab.gpu.base import Buffer

# Kinds whose rows lie in quads of blocks, with scales of their own.
BLOCK_KINDS = ("q4_0", "q8_0")
# Of a gated layer's two matrices in one, so many rows of each take turns; kernels/epilogue.wgsl has the same.
GATED_ROWS = {"buffer": 2, "texture": 4}
# Elements of one block, and bytes of its quants on the GPU, by kind; see kernels/weights.wgsl.
BLOCK_ELEMENTS = {"q4_0": 32, "q8_0": 32, "f16": 8, "f32": 4, "f32_scalar": 1}
BLOCK_BYTES = {"q4_0": 16, "q8_0": 32, "f16": 16, "f32": 16, "f32_scalar": 4}


@dataclass(frozen=True)
class Segment:
    """Rows `row_begin .. row_begin + rows` of a matrix. `scales` only for the block-quantized kinds."""

    row_begin: int
    rows: int
    quants: Buffer
    scales: Buffer | None


@dataclass(frozen=True)
class Weight:
    """A matrix [rows, cols] of one of the kinds in BLOCK_ELEMENTS. A tensor larger than one binding has several
    segments (the 131072-row embedding does at default limits)."""

    kind: str
    rows: int
    cols: int
    segments: tuple[Segment, ...]
    storage: str = "buffer"
    """Or "texture", for kinds in BLOCK_KINDS."""

    @property
    def variant(self) -> dict[str, str | int]:
        """Of kernels that read it."""
        return {"weight": self.kind, "storage": self.storage}

    @property
    def blocks(self) -> int:
        return self.cols // BLOCK_ELEMENTS[self.kind]


@dataclass(frozen=True)
class Linear:
    """y = W x + bias, or scale (W x). `bias`, `scale`: f32[rows], at most one of them."""

    weight: Weight
    bias: Buffer | None = None
    scale: Buffer | None = None


@dataclass(frozen=True)
class Gated:
    """silu(gate x) times (up x), of so many rows. `parts`: the gate's and the other's layer, or both as one whose rows
    take turns, see kernels/weights.wgsl."""

    parts: tuple[Linear, ...]
    rows: int


@dataclass(frozen=True)
class Norm:
    """RMS norm: x / sqrt(mean(x^2) + eps) times the gain, f32[width] from float `offset` of its buffer on."""

    gain: Buffer
    eps: float
    offset: int = 0


@dataclass(frozen=True)
class Tensor:
    """Rows of a buffer, `width` floats apart, from row `row` and its float `column` on. A linear layer takes them through
    `norm`, if there is one, on their way in."""

    buffer: Buffer
    width: int
    row: int = 0
    column: int = 0
    norm: Norm | None = None

    @property
    def begin(self) -> int:
        """In floats."""
        return self.row * self.width + self.column
