// The best of the slices that argmax_rows.wgsl left becomes the token of the next position: tokens[(pos + n) % slots].
// grid: one workgroup of 64. `last` keeps a NaN-filled row (nothing compares greater) inside the vocabulary.
@group(0) @binding(0) var<storage, read> best: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(2) var<storage, read> control: array<u32>;
struct Dims { n: u32, slots: u32, last: u32, slices: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

{% include "best_of.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  let index = best_of(dims.slices, lane);
  if (lane == 0u) {
    tokens[(control[0] + dims.n) % dims.slots] = min(index, dims.last);
  }
}
