"""How a matrix product is cut into workgroups: the choice among kernels that is made per adapter."""

from collections.abc import Iterator
from dataclasses import dataclass

# Weights whose products are worth a choice; the others are a small part of any large model.
TUNED_WEIGHTS = ("q4_0", "q8_0")
SUBGROUP_MATRICES = "chromium-experimental-subgroup-matrix"
# Matrices that GPUs multiply in hardware, into f32, named as gpu.js does: what they are of, rows and columns of the left
# one, columns of the right one. In this order NVIDIA's and AMD's, Intel's, Apple's, and that of a CPU (lavapipe).
_MATRICES = {
    "f16 16x16x16": ("f16", 16, 16, 16),
    "f16 8x16x16": ("f16", 8, 16, 16),
    "f32 8x8x8": ("f32", 8, 8, 8),
    "f16 8x8x8": ("f16", 8, 8, 8),
}
# Rows of W that a workgroup of matmat_shared computes.
_SHARED_ROWS = 64


@dataclass(frozen=True)
class Tile:
    """One way to run one of the kernels: `threads` of a workgroup compute `rows` of W by `columns` rows of x. Those are
    each thread's in matmat and matmat_shared, and all threads' together in the others."""

    kernel: str
    threads: int
    rows: int
    columns: int = 1
    by: str = ""
    """How the threads of matvec add up their sums: through "memory" or as "subgroups". What matmat_subgroup multiplies,
    of those in `_MATRICES`."""
    norms: bool = False
    """Whether a single row of x can be normed on its way in. On GPUs that saves a pass. A CPU adapter runs the code for
    it whether there is a norm or not, which takes a tenth of the product's time."""

    @property
    def parameters(self) -> dict[str, str | int]:
        """Of the kernel's template, besides the kind of weight."""
        found: dict[str, str | int] = {"threads": self.threads, "rows": self.rows}
        if self.kernel == "matvec":
            return found | {"reduce": self.by or "memory", "norms": int(self.norms)}
        found["columns"] = self.columns
        if self.kernel == "matmat_subgroup":
            component, high, deep, wide = _MATRICES[self.by]
            found |= {"component": component, "high": high, "deep": deep, "wide": wide}
        return found

    @property
    def covers(self) -> tuple[int, int]:
        """Rows of W, and of x, that a workgroup computes."""
        if self.kernel == "matmat":
            return self.threads * self.rows, self.columns
        if self.kernel == "matmat_shared":
            return _SHARED_ROWS, self.threads * self.rows * self.columns // _SHARED_ROWS
        return self.rows, self.columns

    @property
    def needs(self) -> frozenset[str]:
        """Features the device must have, as AdapterInfo names them."""
        if self.kernel == "matmat_subgroup":
            f16 = {"shader-f16"} if self.by.startswith("f16") else set()
            return frozenset({"subgroups", SUBGROUP_MATRICES, f"{SUBGROUP_MATRICES} {self.by}"} | f16)
        return frozenset({"subgroups"} if self.by == "subgroups" else ())


@dataclass(frozen=True)
class Tiles:
    """A tile for each number of x's rows: one; a few, by the fewest `columns` that hold them; more than any of those."""

    one: Tile
    few: tuple[Tile, ...]
    many: Tile

    def serving(self, n: int) -> Tile:
        """That for `n` rows of x."""
        if n == 1:
            return self.one
        return next((tile for tile in self.few if n <= tile.covers[1]), self.many)

    def __iter__(self) -> Iterator[Tile]:
        yield self.one
        yield from self.few
        yield self.many


def _matrix(threads: int, rows: int, columns: int) -> Tile:
    return Tile("matmat", threads, rows, columns)


# Loads are what a CPU rasterizer pays for, and many rows share those of the activations; a GPU wants more threads, and
# fewer registers for each. 2 and 6 columns are the acoustic head's: both guidance branches of its last token, or of all
# three.
SOFTWARE = Tiles(
    one=Tile("matvec", 8, 48),
    few=(_matrix(8, 16, 2), _matrix(8, 16, 4), _matrix(8, 16, 6)),
    many=_matrix(8, 16, 6),
)
GPU = Tiles(
    one=Tile("matvec", 32, 8, norms=True),
    few=(_matrix(32, 4, 2), _matrix(32, 4, 4), _matrix(32, 4, 8)),
    many=_matrix(32, 4, 8),
)


def default_tiles(software: bool) -> Tiles:
    """Those that run on any adapter of the sort."""
    return SOFTWARE if software else GPU


@dataclass(frozen=True)
class Candidates:
    """What tuning chooses among for each part of Tiles; what is likeliest the best comes first."""

    one: tuple[Tile, ...]
    few: tuple[tuple[Tile, ...], ...]
    many: tuple[Tile, ...]


# In place of the default, for block-quantized weights.
CANDIDATES = {
    # Threads as many as SIMD lanes are best: lavapipe has the 8 of the default, SwiftShader 4.
    "software": Candidates(one=(Tile("matvec", 4, 48),), few=(), many=(_matrix(8, 16, 8),)),
    "gpu": Candidates(
        one=(
            Tile("spread", 64, 16, norms=True),
            Tile("matvec", 32, 8, by="subgroups", norms=True),
            Tile("matvec", 64, 4, by="subgroups", norms=True),
            Tile("spread", 128, 16, norms=True),
            Tile("matvec", 64, 4, norms=True),
        ),
        few=((Tile("spread", 64, 16, 2), Tile("spread", 64, 16, 6)),),
        many=(
            Tile("matmat_subgroup", 32, 64, 32, by="f16 16x16x16"),
            Tile("matmat_subgroup", 64, 64, 32, by="f16 16x16x16"),  # where subgroups may be of 64, as AMD's
            Tile("matmat_subgroup", 32, 64, 32, by="f16 8x16x16"),
            Tile("matmat_subgroup", 32, 64, 32, by="f32 8x8x8"),
            Tile("matmat_subgroup", 32, 16, 16, by="f16 8x8x8"),  # lavapipe compiles larger tiles for minutes
            Tile("matmat_shared", 128, 8, 4),
            Tile("matmat_shared", 64, 8, 4),
        ),
    ),
}


def suitable(software: bool, features: frozenset[str]) -> Candidates:
    """The default, and then the candidates that need no other features than these."""
    default = default_tiles(software)
    found = CANDIDATES["software" if software else "gpu"]
    return Candidates(
        (default.one, *(tile for tile in found.one if tile.needs <= features)),
        (default.few, *(tiles for tiles in found.few if all(tile.needs <= features for tile in tiles))),
        (default.many, *(tile for tile in found.many if tile.needs <= features)),
    )


def candidates(software: bool) -> list[Tile]:
    """All for adapters of the sort."""
    group = CANDIDATES["software" if software else "gpu"]
    return list(dict.fromkeys((*group.one, *(tile for tiles in group.few for tile in tiles), *group.many)))
