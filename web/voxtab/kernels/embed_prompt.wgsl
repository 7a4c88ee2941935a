// x[i, c] = voice[p - voice_begin, c] where the voice's rows lie, else E[tokens[p], c]      p = pos + i, i < n
// E: as in embed.wgsl; rows of tokens outside are left to another piece. tokens: u32, one a position; voice: f32[voice_rows, width].
// grid: (ceil(width / 64), n) workgroups of 64.
{% import "weights.wgsl" as w %}
{{ w.bindings(weight, storage) }}
@group(0) @binding(2) var<storage, read> tokens: array<u32>;
@group(0) @binding(3) var<storage, read> voice: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
struct Dims { rows: u32, blocks: u32, row_begin: u32, width: u32, positions: u32, voice_begin: u32, voice_rows: u32 }
@group(0) @binding(5) var<uniform> dims: Dims;
@group(0) @binding(6) var<storage, read> control: array<u32>;

{% include "weight_element.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let c = id.x;
  let position = min(control[0] + id.y, dims.positions - 1u);
  let token = tokens[position];
  if (c >= dims.width) {
    return;
  }
  if (position >= dims.voice_begin && position - dims.voice_begin < dims.voice_rows) {
    x[id.y * dims.width + c] = voice[(position - dims.voice_begin) * dims.width + c];
  } else if (token >= dims.row_begin && token - dims.row_begin < dims.rows) {
    x[id.y * dims.width + c] = element(token - dims.row_begin, c);
  }
}
