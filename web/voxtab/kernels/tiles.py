"""How a matrix product is cut into workgroups: the choice among kernels that is made per adapter."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One way to run a kernel: `threads` of a workgroup compute `rows` of W by `columns` rows of x, `rows` and `columns`
    being a workgroup's in a matrix-vector kernel and each thread's in a matrix-matrix kernel."""

    kernel: str
    threads: int
    rows: int
    columns: int = 1

    @property
    def parameters(self) -> dict[str, str | int]:
        """Of the kernel's template, besides the kind of weight."""
        found: dict[str, str | int] = {"threads": self.threads, "rows": self.rows}
        return found if self.kernel == "matvec" else {**found, "columns": self.columns}

    @property
    def covers(self) -> tuple[int, int]:
        """Rows of W, and of x, that a workgroup computes."""
        return (self.rows, 1) if self.kernel == "matvec" else (self.threads * self.rows, self.columns)


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
    one=Tile("matvec", 8, 32),
    few=(_matrix(8, 16, 2), _matrix(8, 16, 4), _matrix(8, 16, 6)),
    many=_matrix(8, 16, 6),
)
GPU = Tiles(
    one=Tile("matvec", 32, 8),
    few=(_matrix(32, 4, 2), _matrix(32, 4, 4), _matrix(32, 4, 8)),
    many=_matrix(32, 4, 8),
)


def default_tiles(software: bool) -> Tiles:
    """Those that run on any adapter of the sort."""
    return SOFTWARE if software else GPU
