{# How a weight matrix lies on the GPU, shared by matvec, matmat and embed.

   q4_0        block of 32: quants vec4<u32>, byte j = element j (low nibble) and j + 16 (high); value (q - 8) d
   q8_0        block of 32: quants 2 x vec4<u32>, int8; value q d
   f16         block of 8: vec4<u32>
   f32         block of 4: vec4<f32>
   f32_scalar  block of 1: f32, for rows not divisible by 4
   Scales are f16, the ones of rows 2i and 2i + 1 in one u32 at i x blocks + b (low half first). -#}
{% macro block_elements(weight) %}{{ {"q4_0": 32, "q8_0": 32, "f16": 8, "f32": 4, "f32_scalar": 1}[weight] }}{% endmacro %}
{% macro quant_type(weight) %}{{ {"f32": "vec4<f32>", "f32_scalar": "f32"}.get(weight, "vec4<u32>") }}{% endmacro %}
{% macro value_type(weight) %}{{ "f32" if weight == "f32_scalar" else "vec4<f32>" }}{% endmacro %}
{# How many vectors of `value_type` one block holds. #}
{% macro block_vectors(weight) %}{{ {"q4_0": 8, "q8_0": 8, "f16": 2, "f32": 1, "f32_scalar": 1}[weight] }}{% endmacro %}
{% macro bindings(weight) %}
@group(0) @binding(0) var<storage, read> quants: array<{{ quant_type(weight) }}>;
{% if weight in ("q4_0", "q8_0") %}
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn scale_of(row: u32, block: u32, blocks: u32) -> f32 {
  let pair = unpack2x16float(scales[(row >> 1u) * blocks + block]);
  return select(pair.x, pair.y, (row & 1u) == 1u);
}
{% endif %}
{% endmacro %}
