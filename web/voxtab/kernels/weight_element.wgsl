// One weight of the matrix, for kernels that read single rows: quants and dims.blocks as in weights.wgsl.
{% import "weights.wgsl" as w %}
{% macro quants_of(i) %}
{%- set count = 4 if weight == "q4_0" else 8 -%}
{{ "bitcast<vec4<u32>>(textureLoad(quants, vec2<u32>(block * %du + %s, row / 4u), 0))" % (count, i) if storage == "texture" else "quants[quad * %du + %s]" % (count, i) }}
{%- endmacro %}
fn element(row: u32, c: u32) -> f32 {
  let block = c / {{ w.block_elements(weight) }}u;
{% if weight in ("q4_0", "q8_0") %}
  let in_quad = row & 3u;
{% if storage == "texture" %}
  let halves = bitcast<vec2<u32>>(textureLoad(scales, vec2<u32>(block, row / 4u), 0).xy);
{% else %}
  let quad = (row / 4u) * dims.blocks + block;
  let halves = scales[quad];
{% endif %}
  let scale = unpack2x16float(halves[in_quad / 2u])[in_quad & 1u];
{% else %}
  let at = row * dims.blocks + block;
{% endif %}
{% if weight == "q4_0" %}
  let j = c % 32u;
  let word = {{ quants_of("in_quad") }}[(j % 16u) / 4u] ^ 0x80000000u;
  let nibble = (word >> ((j % 4u) * 8u + select(0u, 4u, j >= 16u))) & 15u;
  return (f32(nibble) - 8.0) * scale;
{% elif weight == "q8_0" %}
  let j = c % 32u;
  let word = {{ quants_of("in_quad * 2u + j / 16u") }}[(j % 16u) / 4u] ^ 0x80000000u;
  return (f32((word >> ((j % 4u) * 8u)) & 255u) - 128.0) * scale;
{% elif weight == "f16" %}
  let j = c % 8u;
  return unpack2x16float(quants[at][j / 2u])[j % 2u];
{% elif weight == "f32" %}
  return quants[at][c % 4u];
{% else %}
  return quants[at];
{% endif %}
}
