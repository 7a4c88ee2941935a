// x[i, c] = audio[(pos + i) % audio_slots, c] + E[tokens[(pos + i) % token_slots], c]     for i < n
// E: the rows row_begin .. row_begin + rows of the embedding, see weights.wgsl; rows of tokens outside are left to another piece.
// grid: (ceil(width / 64), n) workgroups of 64.
{% import "weights.wgsl" as w %}
{{ w.bindings(weight, storage) }}
@group(0) @binding(2) var<storage, read> tokens: array<u32>;
@group(0) @binding(3) var<storage, read> audio: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
struct Dims { rows: u32, blocks: u32, row_begin: u32, width: u32, token_slots: u32, audio_slots: u32 }
@group(0) @binding(5) var<uniform> dims: Dims;
@group(0) @binding(6) var<storage, read> control: array<u32>;

{% include "weight_element.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let c = id.x;
  let position = control[0] + id.y;
  let token = tokens[position % dims.token_slots];
  if (c < dims.width && token >= dims.row_begin && token - dims.row_begin < dims.rows) {
    x[id.y * dims.width + c] = audio[(position % dims.audio_slots) * dims.width + c] + element(token - dims.row_begin, c);
  }
}
