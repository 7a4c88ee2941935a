// y[p, r] = epilogue(sum_c W[r, c] x[p, c]) for n rows p of x; epilogue.wgsl: a bias or scale a row, then GELU and the like.
// For GPUs: a block of the rows of W, and of x, lie in workgroup memory as floats while all threads use them.
// W: rows x cols, block-quantized, see weights.wgsl; x row p at x_offset + p x_stride; y row p at y_offset + p y_stride.
{% set high = 64 %}
{% set wide = threads * rows * columns // high %}
// grid: (ceil(rows / {{ high }}), ceil(n / {{ wide }})) workgroups of {{ threads }} threads; a thread holds {{ rows }} rows of W x {{ columns }} rows of x in registers.
{% import "weights.wgsl" as w %}
{{ w.bindings(weight, "buffer") }}
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> row_values: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% include "linear_dims.wgsl" %}

{% include "epilogue.wgsl" %}
{% set quads = high // 4 %}
{% set fours = wide // 4 %}
const THREADS = {{ threads }}u;
// Element k of four rows together, rows 4 i .. 4 i + 3 at k times their fours + (i ^ k / 4): whoever stores the elements of
// four rows, and whoever loads one element of all of them, meets as many banks as there are.
var<workgroup> weights: array<vec4<f32>, {{ 32 * quads }}>;
var<workgroup> values: array<vec4<f32>, {{ 32 * fours }}>;

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let blocks = dims.blocks;
  let row0 = group.x * {{ high }}u;
  let column0 = group.y * {{ wide }}u;
  let last_quad = (dims.rows - 1u) / 4u;
  let last = dims.n - 1u;
  // It owns fours of rows {{ quads // (rows // 4) }} apart, and fours of columns {{ fours // (columns // 4) }} apart.
  let quad = lane % {{ quads // (rows // 4) }}u;
  let four = lane / {{ quads // (rows // 4) }}u;
{% for c in range(columns) %}
{% for q in range(rows // 4) %}
  var sum{{ q }}_{{ c }} = vec4<f32>(0.0);
{% endfor %}
{% endfor %}
  for (var b = 0u; b < blocks; b++) {
    workgroupBarrier();
    // Units of four elements of four rows.
    for (var unit = lane; unit < {{ 8 * quads }}u; unit += THREADS) {
      let k = unit % 8u;
      let index = unit / 8u;
      let at = min(row0 / 4u + index, last_quad) * blocks + b;
      let d = {{ w.quad_scales("at") }};
{% if weight == "q4_0" %}
      let word = k % 4u; // low nibbles are elements 0 .. 15, high ones the others
      let shift = k / 4u * 4u;
      let raw = vec4<u32>(quants[at * 4u][word], quants[at * 4u + 1u][word], quants[at * 4u + 2u][word], quants[at * 4u + 3u][word]) >> vec4<u32>(shift);
      let whole = vec4<u32>(15u);
      // The topmost nibble of a word is a signed number already, and here in bits 24 .. 27.
      let top = vec4<i32>(raw << vec4<u32>(4u)) >> vec4<u32>(28u);
      let less = vec4<f32>(8.0);
{% else %}
      let word = k % 4u;
      let source = at * 8u + k / 4u;
      let raw = vec4<u32>(quants[source][word], quants[source + 2u][word], quants[source + 4u][word], quants[source + 6u][word]);
      let whole = vec4<u32>(255u);
      let top = vec4<i32>(raw) >> vec4<u32>(24u);
      let less = vec4<f32>(128.0);
{% endif %}
      let to = k * {{ 4 * quads }}u + (index ^ k);
      weights[to] = (vec4<f32>(raw & whole) - less) * d;
      weights[to + {{ quads }}u] = (vec4<f32>((raw >> vec4<u32>(8u)) & whole) - less) * d;
      weights[to + {{ 2 * quads }}u] = (vec4<f32>((raw >> vec4<u32>(16u)) & whole) - less) * d;
      weights[to + {{ 3 * quads }}u] = {{ "select(vec4<f32>(top), vec4<f32>((raw >> vec4<u32>(24u)) & whole) - less, shift == 0u)" if weight == "q4_0" else "vec4<f32>(top)" }} * d;
    }
    for (var unit = lane; unit < {{ 8 * fours }}u; unit += THREADS) {
      let k = unit % 8u;
      let index = unit / 8u;
      let p = column0 + 4u * index;
      let source = dims.x_offset / 4u + b * 8u + k;
      let stride = dims.x_stride / 4u;
      let x0 = x[source + min(p, last) * stride];
      let x1 = x[source + min(p + 1u, last) * stride];
      let x2 = x[source + min(p + 2u, last) * stride];
      let x3 = x[source + min(p + 3u, last) * stride];
      let to = k * {{ 4 * fours }}u + (index ^ k);
{% for j in range(4) %}
      values[to + {{ j * fours }}u] = vec4<f32>(x0.{{ "xyzw"[j] }}, x1.{{ "xyzw"[j] }}, x2.{{ "xyzw"[j] }}, x3.{{ "xyzw"[j] }});
{% endfor %}
    }
    workgroupBarrier();
    for (var k = 0u; k < 8u; k++) {
{% for j in range(4) %}
      {
{% for q in range(rows // 4) %}
        let w{{ q }} = weights[k * {{ 4 * quads }}u + {{ j * quads }}u + ((quad + {{ q * (quads // (rows // 4)) }}u) ^ k)];
{% endfor %}
{% for f in range(columns // 4) %}
        let v{{ f }} = values[k * {{ 4 * fours }}u + {{ j * fours }}u + ((four + {{ f * (fours // (columns // 4)) }}u) ^ k)];
{% for i in range(4) %}
{% for q in range(rows // 4) %}
        sum{{ q }}_{{ 4 * f + i }} += w{{ q }} * v{{ f }}.{{ "xyzw"[i] }};
{% endfor %}
{% endfor %}
{% endfor %}
      }
{% endfor %}
    }
  }
  // Out of the registers for good, so that the epilogue is there once.
  var sums = array<vec4<f32>, {{ rows // 4 * columns }}>(
{%- for c in range(columns) %}{% for q in range(rows // 4) %}sum{{ q }}_{{ c }}, {% endfor %}{% endfor %});
  for (var i = 0u; i < {{ rows * columns }}u; i++) {
    let q = i % {{ rows }}u / 4u;
    let c = i / {{ rows }}u;
    let row = row0 + (quad + q * {{ quads // (rows // 4) }}u) * 4u + i % 4u;
    let column = column0 + (four + c / 4u * {{ fours // (columns // 4) }}u) * 4u + c % 4u;
    if (row < dims.rows && column < dims.n) {
      let up = sums[i / 4u][min(i % 4u + 2u, 3u)];
      finish(dims.row_begin + row, dims.y_offset + column * dims.y_stride, sums[i / 4u][i % 4u], up);
    }
  }
}
