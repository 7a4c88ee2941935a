"""What the speech codec records beyond other models' layers."""

from voxtab.gpu.base import Buffer
from voxtab.nn.recorder import Recorder, ceil_div, float_bits
from voxtab.nn.ring_cache import RingCache
from voxtab.nn.weights import Tensor


class CodecRecorder(Recorder):
    """The program of a chunk of frames. `control` holds the position of the first one; caches know their own rate."""

    def codec_latent(
        self,
        codes: Tensor,
        slots: int,
        codebook: tuple[Buffer, Buffer],
        sizes: tuple[int, int],
        out: Tensor,
        n: int,
    ) -> Tensor:
        """out: 2 + n rows of latent, two of left context first. `codebook`: (embedding_sum, cluster_usage);
        `sizes`: entries of it, and levels of an acoustic code. See kernels/codec_latent.wgsl."""
        acoustic = codes.width - 1
        dims = (out.width - acoustic, acoustic, *sizes, slots)
        bindings = [(0, codes.buffer), (1, codebook[0]), (2, codebook[1]), (3, out.buffer), (4, self.control)]
        self._add("codec_latent", {}, {}, bindings, dims, (ceil_div(out.width, 64), n + 2))
        return out

    def norm_store(
        self,
        qkv: Tensor,
        norms: tuple[Buffer, Buffer],
        eps: float,
        cache: RingCache,
        n: int,
    ) -> None:
        """Rows of queries, keys and values end to end: RMS-normalize all of q in place and of k into the cache, with
        weights `norms`; v goes there too."""
        dims = (cache.width // 2, cache.slots, cache.rate, float_bits(eps))
        bindings = [(0, qkv.buffer), (1, norms[0]), (2, norms[1]), (3, cache.keys), (4, cache.values)]
        bindings.append((5, self.control))
        variant = {"cache": cache.kind, **self.norm_variant()}
        self._add("norm_store", variant, {}, bindings, dims, (n, 1), dims_at=6)

    def reflect_rows(self, x: Tensor, count: int) -> None:
        """At position 0, mirror rows 1 .. count of x to before row 0, which is not repeated; later, do nothing."""
        bindings = [(0, x.buffer), (1, self.control)]
        grid = (ceil_div(x.width, 64), count)
        self._add("reflect_rows", {}, {}, bindings, (x.width, x.row), grid, dims_at=2)
