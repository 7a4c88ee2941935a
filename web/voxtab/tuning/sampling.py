"""Whether a device hands out sampled floats bit by bit: weights kept as textures are no numbers, or very small ones."""

from array import array
from dataclasses import replace

from voxtab.gpu.base import Dispatch, Gpu
from voxtab.kernels import key, source

# Zeros and infinities of both signs, numbers too small to be normal, quiet and signalling NaNs, ordinary numbers.
_WORDS = (
    *(0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x00000001, 0x007FFFFF, 0x80000001, 0x807FFFFF),
    *(0x7F800001, 0xFF800001, 0x7FBFFFFF, 0x7FC00000, 0xFFC12345, 0xFFFFFFFF, 0x3F800000, 0xC2F6E979),
)


async def check_sampling(gpu: Gpu) -> None:
    """A device that alters any of them keeps weights in buffers from now on. Raises VoxtabError device-lost."""
    if gpu.info.samples_weights and not await keeps_bits(gpu):
        gpu.info = replace(gpu.info, features=gpu.info.features - {"float32-filterable"})


async def keeps_bits(gpu: Gpu) -> bool:
    """Whether words come back as they were put into a texture."""
    words, count = array("I", _WORDS), len(_WORDS) // 4
    with gpu.all_or_nothing():
        given, got = (gpu.buffer(16 * count, f"words {way} texels") for way in ("in", "out of"))
        texels = gpu.texture(count, 1, 4, "texels")
    try:
        gpu.write(given, 0, memoryview(words))
        into, out_of = (
            gpu.pipeline(key("texel_bits", way=way), source("texel_bits", way=way)) for way in ("in", "out")
        )
        program = gpu.program(
            [
                Dispatch(into, ((0, given), (1, texels)), (count, 1, 1)),
                Dispatch(out_of, ((0, got), (1, texels), (2, gpu.sampler())), (count, 1, 1)),
            ]
        )
        await gpu.ready()
        back = await gpu.run_and_read(program, got, 0, 16 * count).bytes()
        gpu.free_program(program)
        return back == words.tobytes()
    finally:
        for made in (given, got, texels):
            gpu.free(made)
