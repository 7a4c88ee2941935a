// The codes of frame control[1]: codes[0] = the best of the slices that argmax_rows.wgsl left, codes[1 + i] = a level of x[i], shifted by 2:
// round((clamp(x, -1, 1) + 1) / 2 (levels - 1)) + 2, ties to even. With END (1) in front, all others are 2.
// x: f32 at x_offset; codes: u32[slots, 1 + count], a ring; `last` keeps a NaN-filled row inside the table.
// grid: ceil((1 + count) / 64) workgroups of 64, a thread a code.
@group(0) @binding(0) var<storage, read> best: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> codes: array<u32>;
@group(0) @binding(3) var<storage, read> control: array<u32>;
struct Dims { count: u32, x_offset: u32, slots: u32, levels: u32, last: u32, slices: u32 }
@group(0) @binding(4) var<uniform> dims: Dims;

{% include "best_of.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var code = min(best_of(dims.slices, lane), dims.last);
  if (id.x > dims.count) {
    return;
  }
  if (id.x > 0u) {
    if (code == 1u) {
      code = 2u;
    } else {
      let unit = (clamp(x[dims.x_offset + id.x - 1u], -1.0, 1.0) + 1.0) * 0.5;
      code = u32(round(unit * f32(dims.levels - 1u))) + 2u;
    }
  }
  codes[(control[1] % dims.slots) * (dims.count + 1u) + id.x] = code;
}
