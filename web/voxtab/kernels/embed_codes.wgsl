// x[c] = sum_k E[offset_k + codes[k], c] over the codes of frame control[1]: what the backbone sees of a frame.
// Codebook 0 has `semantic` rows from 0 on, codebook k > 0 `levels` rows from semantic + (k - 1) levels on.
// E: the rows row_begin .. row_begin + rows of the table; a later piece adds its share. codes: u32[slots, count], a ring.
// grid: ceil(width / 64) workgroups of 64.
{% import "weights.wgsl" as w %}
{{ w.bindings(weight, storage) }}
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
struct Dims { rows: u32, blocks: u32, row_begin: u32, width: u32, slots: u32, count: u32, semantic: u32, levels: u32 }
@group(0) @binding(5) var<uniform> dims: Dims;
@group(0) @binding(6) var<storage, read> control: array<u32>;
override ADDS: u32 = 0u;

{% include "weight_element.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let c = id.x;
  if (c >= dims.width) {
    return;
  }
  let frame = (control[1] % dims.slots) * dims.count;
  var sum = 0.0;
  var offset = 0u;
  for (var k = 0u; k < dims.count; k++) {
    let row = offset + codes[frame + k];
    if (row >= dims.row_begin && row - dims.row_begin < dims.rows) {
      sum += element(row - dims.row_begin, c);
    }
    offset += select(dims.levels, dims.semantic, k == 0u);
  }
  if (ADDS == 1u) {
    sum += x[c];
  }
  x[c] = sum;
}
