// GGUF's {{ weight }} blocks (f16 scale, then {{ "16 bytes of nibbles" if weight == "q4_0" else "32 int8" }}, {{ 18 if weight == "q4_0" else 34 }} bytes, unaligned) -> quads of aligned quants and scales, see weights.wgsl.
{% set together = 4 if storage == "texture" else 2 %}
// raw: `rows` rows of `blocks` blocks. {{ "Four and four they become" if together == 4 else "Two and two they become halves of" }} quads: first, first + step, ... counted over the weight.
// grid: (ceil(blocks / 64), ceil(rows / {{ together }})) workgroups of 64; a thread does the same block of {{ together }} rows.
{% set halves = 9 if weight == "q4_0" else 17 %}
@group(0) @binding(0) var<storage, read> raw: array<u32>;
{% if storage == "texture" %}
@group(0) @binding(1) var quants: texture_storage_2d<rgba32float, write>;
@group(0) @binding(2) var scales: texture_storage_2d<rg32float, write>;
{% else %}
@group(0) @binding(1) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> scales: array<u32>;
{% endif %}
struct Dims { rows: u32, blocks: u32, first: u32, step: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

fn half(i: u32) -> u32 {
  return (raw[i >> 1u] >> ((i & 1u) * 16u)) & 0xFFFFu;
}

fn word(i: u32) -> u32 {
  return half(i) | (half(i + 1u) << 16u);
}

fn put(to: {{ "vec2<u32>" if storage == "texture" else "u32" }}, words: vec4<u32>) {
{% if storage == "texture" %}
  textureStore(quants, to, bitcast<vec4<f32>>(words));
{% else %}
  quants[to] = words;
{% endif %}
}

// Gives the scale; a row behind the last one stays zeros. `to`: of the row's first vector.
fn move_block(row: u32, block: u32, to: {{ "vec2<u32>" if storage == "texture" else "u32" }}) -> u32 {
  if (row >= dims.rows) {
    return 0u;
  }
  let origin = (row * dims.blocks + block) * {{ halves }}u;
{% if weight == "q4_0" %}
  put(to, vec4<u32>(word(origin + 1u), word(origin + 3u), word(origin + 5u), word(origin + 7u)) ^ vec4<u32>(0x80000000u));
{% else %}
  let flip = vec4<u32>(0x00808080u);
  let second = to + {{ "vec2<u32>(1u, 0u)" if storage == "texture" else "1u" }};
  put(to, vec4<u32>(word(origin + 1u), word(origin + 3u), word(origin + 5u), word(origin + 7u)) ^ flip);
  put(second, vec4<u32>(word(origin + 9u), word(origin + 11u), word(origin + 13u), word(origin + 15u)) ^ flip);
{% endif %}
  return half(origin);
}

{% set vectors = 1 if weight == "q4_0" else 2 %}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < dims.blocks) {
    let row = id.y * {{ together }}u;
{% if storage == "texture" %}
    let quad = dims.first + id.y * dims.step;
    var pairs = vec2<u32>(0u);
    for (var r = 0u; r < 4u; r++) {
      pairs[r / 2u] |= move_block(row + r, id.x, vec2<u32>((id.x * 4u + r) * {{ vectors }}u, quad)) << (r % 2u * 16u);
    }
    textureStore(scales, vec2<u32>(id.x, quad), bitcast<vec4<f32>>(vec4<u32>(pairs, 0u, 0u)));
{% else %}
    let pair = dims.first + id.y * dims.step;
    let to = ((pair / 2u * dims.blocks + id.x) * 2u + pair % 2u) * 2u;
    scales[to / 2u] = move_block(row, id.x, to * {{ vectors }}u) | (move_block(row + 1u, id.x, (to + 1u) * {{ vectors }}u) << 16u);
{% endif %}
  }
}
