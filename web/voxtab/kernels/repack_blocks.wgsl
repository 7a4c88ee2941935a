// GGUF's {{ weight }} blocks (f16 scale, then {{ "16 bytes of nibbles" if weight == "q4_0" else "32 int8" }}, {{ 18 if weight == "q4_0" else 34 }} bytes, unaligned) -> quads of aligned quants and scales, see weights.wgsl.
// raw: `rows` rows of `blocks` blocks; they become rows row_begin .. of the weight. row_begin is divisible by 4.
// grid: (ceil(blocks / 64), ceil(rows / 4)) workgroups of 64; a thread does the same block of four rows.
{% set halves = 9 if weight == "q4_0" else 17 %}
@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> scales: array<vec2<u32>>;
struct Dims { rows: u32, blocks: u32, row_begin: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

fn half(i: u32) -> u32 {
  return (raw[i >> 1u] >> ((i & 1u) * 16u)) & 0xFFFFu;
}

fn word(i: u32) -> u32 {
  return half(i) | (half(i + 1u) << 16u);
}

// Gives the scale; rows behind the last become zeros.
fn move_block(row: u32, block: u32) -> u32 {
  if (row >= dims.rows) {
    return 0u;
  }
  let origin = (row * dims.blocks + block) * {{ halves }}u;
  let to = ((dims.row_begin + row) / 4u * dims.blocks + block) * 4u + row % 4u;
{% if weight == "q4_0" %}
  quants[to] = vec4<u32>(word(origin + 1u), word(origin + 3u), word(origin + 5u), word(origin + 7u)) ^ vec4<u32>(0x80000000u);
{% else %}
  let flip = vec4<u32>(0x00808080u);
  quants[to * 2u] = vec4<u32>(word(origin + 1u), word(origin + 3u), word(origin + 5u), word(origin + 7u)) ^ flip;
  quants[to * 2u + 1u] = vec4<u32>(word(origin + 9u), word(origin + 11u), word(origin + 13u), word(origin + 15u)) ^ flip;
{% endif %}
  return half(origin);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < dims.blocks) {
    let row = id.y * 4u;
    let first = move_block(row, id.x) | (move_block(row + 1u, id.x) << 16u);
    let second = move_block(row + 2u, id.x) | (move_block(row + 3u, id.x) << 16u);
    scales[(dims.row_begin / 4u + id.y) * dims.blocks + id.x] = vec2<u32>(first, second);
  }
}
