{# How a weight matrix lies on the GPU, shared by matvec, matmat and the embeddings.

   q4_0        block of 32: vec4<u32>, byte j = element j (low nibble) and j + 16 (high); value (q - 8) d, but q d for the
               topmost nibble of a word: masked in place, each is an i32
   q8_0        block of 32: 2 x vec4<u32>, a byte an element; value (q - 128) d, but q d for the topmost byte
   f16         block of 8: vec4<u32>
   f32         block of 4: vec4<f32>
   f32_scalar  block of 1: f32, for rows not divisible by 4

   Blocks of the first two lie in quads: the same block of rows 4i .. 4i + 3, end to end, a cache line of q4_0; then the next
   block of those rows. Their f16 scales are the halves of a vec2<u32>. Both are at (row / 4) x blocks + b.

   Stored as a "texture" for CPU adapters, which load a whole texel at once but a buffer's words lane by lane: a texel of quants is
   the bits of a vec4<u32>, one of scales those of a quad's; row / 4 is the texel's row, and what is end to end above lies side by
   side. The products sample them, as Tint looks up the texture's size at each textureLoad, which takes as long as the load.

   The two matrices of a gated layer lie in one, their rows taking turns. In a buffer two and two: 4i and 4i + 1 are the gate's 2i
   and 2i + 1, the next two are the other's; in a texture four and four. -#}
{% macro block_elements(weight) %}{{ {"q4_0": 32, "q8_0": 32, "f16": 8, "f32": 4, "f32_scalar": 1}[weight] }}{% endmacro %}
{% macro quant_type(weight) %}{{ {"f32": "vec4<f32>", "f32_scalar": "f32"}.get(weight, "vec4<u32>") }}{% endmacro %}
{% macro value_type(weight) %}{{ "f32" if weight == "f32_scalar" else "vec4<f32>" }}{% endmacro %}
{# How many vectors of `value_type` one block holds. #}
{% macro block_vectors(weight) %}{{ {"q4_0": 8, "q8_0": 8, "f16": 2, "f32": 1, "f32_scalar": 1}[weight] }}{% endmacro %}
{% macro bindings(weight, storage) %}
{% if storage == "texture" %}
@group(0) @binding(0) var quants: texture_2d<f32>;
@group(0) @binding(1) var scales: texture_2d<f32>;
{% else %}
@group(0) @binding(0) var<storage, read> quants: array<{{ quant_type(weight) }}>;
{% if weight in ("q4_0", "q8_0") %}
@group(0) @binding(1) var<storage, read> scales: array<vec2<u32>>;
{% endif %}
{% endif %}
{% endmacro %}
{# For kernels that multiply: what comes before them, and what they begin with. #}
{% macro sampling(storage) %}
{% if storage == "texture" %}
@group(0) @binding(7) var nearest: sampler;
{% endif %}
{% endmacro %}
{% macro let_texel(storage) %}
{% if storage == "texture" %}
let texel = 1.0 / vec2<f32>(textureDimensions(quants));
{% endif %}
{% endmacro %}
{# Where the blocks of the quad with `row` begin; where the one with block b is, of `count` vectors of quants a row and four rows. #}
{% macro quad(row, storage) %}{{ "(f32(%s / 4u) + 0.5) * texel.y" % row if storage == "texture" else "%s / 4u * blocks" % row }}{% endmacro %}
{% macro quad_block(quad, count, storage) %}{{ "vec2<f32>(f32(b) * %d.0 * texel.x, %s)" % (4 * count, quad) if storage == "texture" else "%s + b" % quad }}{% endmacro %}
{# `name`: the four scales of the quad's block `at`. #}
{% macro let_scales(name, at, count, storage) %}
{% if storage == "texture" %}
let {{ name }}_halves = bitcast<vec2<u32>>(textureSampleLevel(scales, nearest, vec2<f32>({{ at }}.x + {{ 2 * count }}.0 * texel.x, {{ at }}.y), 0.0).xy);
let {{ name }} = vec4<f32>(unpack2x16float({{ name }}_halves.x), unpack2x16float({{ name }}_halves.y));
{% else %}
let {{ name }} = {{ quad_scales(at) }};
{% endif %}
{% endmacro %}
{% macro quad_scales(at) %}vec4<f32>(unpack2x16float(scales[{{ at }}].x), unpack2x16float(scales[{{ at }}].y)){% endmacro %}
{# The i-th vector of quants of the quad's block `at`. #}
{% macro quad_quants(at, count, i, storage) -%}
{{ "bitcast<vec4<u32>>(textureSampleLevel(quants, nearest, vec2<f32>(%s.x + %d.5 * texel.x, %s.y), 0.0))" % (at, i, at) if storage == "texture" else "quants[%s * %du + %du]" % (at, 4 * count, i) }}
{%- endmacro %}
