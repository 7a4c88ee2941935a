// x[i, c] = audio[(pos + i) % audio_slots, c] + E[tokens[(pos + i) % token_slots], c]     for i < n
// E: the rows row_begin .. row_begin + rows of the embedding, see weights.wgsl; rows of tokens outside are left to another piece.
// grid: (ceil(width / 64), n) workgroups of 64.
{% import "weights.wgsl" as w %}
{{ w.bindings(weight) }}
@group(0) @binding(2) var<storage, read> tokens: array<u32>;
@group(0) @binding(3) var<storage, read> audio: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
struct Dims { rows: u32, blocks: u32, row_begin: u32, width: u32, token_slots: u32, audio_slots: u32 }
@group(0) @binding(5) var<uniform> dims: Dims;
@group(0) @binding(6) var<storage, read> control: array<u32>;

fn element(row: u32, c: u32) -> f32 {
  let block = c / {{ w.block_elements(weight) }}u;
  let at = row * dims.blocks + block;
{% if weight == "q4_0" %}
  let j = c % 32u;
  let word = quants[at][(j % 16u) / 4u];
  let nibble = (word >> ((j % 4u) * 8u + select(0u, 4u, j >= 16u))) & 15u;
  return (f32(nibble) - 8.0) * scale_of(row, block, dims.blocks);
{% elif weight == "q8_0" %}
  let j = c % 32u;
  let word = quants[at * 2u + j / 16u][(j % 16u) / 4u] ^ 0x80808080u;
  return (f32((word >> ((j % 4u) * 8u)) & 255u) - 128.0) * scale_of(row, block, dims.blocks);
{% elif weight == "f16" %}
  let j = c % 8u;
  return unpack2x16float(quants[at][j / 2u])[j % 2u];
{% elif weight == "f32" %}
  return quants[at][c % 4u];
{% else %}
  return quants[at];
{% endif %}
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let c = id.x;
  let position = control[0] + id.y;
  let token = tokens[position % dims.token_slots];
  if (c < dims.width && token >= dims.row_begin && token - dims.row_begin < dims.rows) {
    x[id.y * dims.width + c] = audio[(position % dims.audio_slots) * dims.width + c] + element(token - dims.row_begin, c);
  }
}
