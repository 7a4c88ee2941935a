"""What kernels are compared with: one thread an output, on the file's own 18-byte blocks, byte by byte."""

import struct

from voxtab.bench.made_up import q4_0_bytes
from voxtab.gpu.base import Buffer, Dispatch, Gpu, Program
from voxtab.nn.recorder import ceil_div
from voxtab.nn.upload import PIECE_BYTES

# y[p, r] = sum_c W[r, c] x[p, c]; raw: rows of Q4_0 blocks as in a GGUF. grid: (ceil(rows / 64), n) workgroups of 64.
_SOURCE = """
@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Dims { rows: u32, blocks: u32, row_begin: u32, y_stride: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

fn byte(at: u32) -> u32 {
  return (raw[at >> 2u] >> ((at & 3u) * 8u)) & 255u;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= dims.rows) {
    return;
  }
  var sum = 0.0;
  for (var b = 0u; b < dims.blocks; b++) {
    let at = (id.x * dims.blocks + b) * 18u;
    let scale = unpack2x16float(byte(at) | (byte(at + 1u) << 8u)).x;
    let column = id.y * dims.blocks * 32u + b * 32u;
    for (var j = 0u; j < 16u; j++) {
      let pair = byte(at + 2u + j);
      sum += scale * (f32(pair & 15u) - 8.0) * x[column + j];
      sum += scale * (f32(pair >> 4u) - 8.0) * x[column + j + 16u];
    }
  }
  y[id.y * dims.y_stride + dims.row_begin + id.x] = sum;
}
"""


class PlainMatrix:
    """The matrix that `made_up_matrix` gives, as the file has it."""

    def __init__(self, gpu: Gpu, rows: int, cols: int) -> None:
        self._gpu = gpu
        self._rows, self._blocks = rows, cols // 32
        row_bytes = self._blocks * 18
        most = min(gpu.info.max_binding_bytes, gpu.info.max_buffer_bytes) // row_bytes // 64 * 64
        self._pieces: list[tuple[int, int, Buffer]] = []
        for begin in range(0, rows, most):
            count = min(most, rows - begin)
            self._pieces.append((begin, count, gpu.buffer(count * row_bytes, "plain weights")))
        self._fill(row_bytes)

    def program(self, x: Buffer, y: Buffer, n: int) -> Program:
        """y[p] = W x[p] for n rows p."""
        pipeline = self._gpu.pipeline("plain", _SOURCE)
        dispatches = []
        for begin, count, buffer in self._pieces:
            dims = self._gpu.uniform(struct.pack("<4I", count, self._blocks, begin, self._rows))
            bindings = ((0, buffer), (1, x), (2, y), (3, dims))
            dispatches.append(Dispatch(pipeline, bindings, (ceil_div(count, 64), n, 1)))
        return self._gpu.program(dispatches)

    def free(self) -> None:
        for _, _, buffer in self._pieces:
            self._gpu.free(buffer)

    def _fill(self, row_bytes: int) -> None:
        # Upload.matrix takes whole quads of rows a piece, and each piece is filled from the start of the same bytes.
        per_piece = PIECE_BYTES // row_bytes // 4 * 4
        data = memoryview(q4_0_bytes(PIECE_BYTES))
        for _, count, buffer in self._pieces:
            for row in range(0, count, per_piece):
                part = min(per_piece, count - row) * row_bytes
                self._gpu.write(buffer, row * row_bytes, data[: -(-part // 4) * 4])
