// y[p, r] = epilogue(sum_c W[r, c] x[p, c]) for n rows p of x; epilogue.wgsl: a bias or scale a row, then GELU and the like
// W: rows x cols, see weights.wgsl; x row p at x_offset + p x_stride; y row p at y_offset + p y_stride.
// grid: (ceil(rows / {{ threads * rows }}), ceil(n / {{ columns }})) workgroups of {{ threads }}; a thread holds {{ rows }} rows of W x {{ columns }} rows of x in registers.
{% import "weights.wgsl" as w %}
{% set vectors = {"q4_0": 1, "q8_0": 2}.get(weight) %}
{{ w.bindings(weight, storage) }}
{{ w.sampling(storage) -}}
@group(0) @binding(2) var<storage, read> x: array<{{ w.value_type(weight) }}>;
@group(0) @binding(3) var<storage, read> row_values: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% include "linear_dims.wgsl" %}

{% include "epilogue.wgsl" %}
{% set quantized = weight in ("q4_0", "q8_0") %}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let blocks = dims.blocks;
  let last = dims.rows - 1u;
  {{ w.let_texel(storage) -}}
  let row0 = (group.x * {{ threads }}u + lane) * {{ rows }}u;
  let column0 = group.y * {{ columns }}u;
{% for r in range(0, rows, 4 if quantized else 1) %}
{% if quantized %}
  let quad{{ r // 4 }} = {{ w.quad("min(row0 + %du, last)" % r, storage) }};
{% else %}
  let start{{ r }} = min(row0 + {{ r }}u, last) * blocks;
{% endif %}
{% endfor %}
{% for c in range(columns) %}
  let x{{ c }} = (dims.x_offset + min(column0 + {{ c }}u, dims.n - 1u) * dims.x_stride) / {{ "1" if weight == "f32_scalar" else "4" }}u;
{% for r in range(rows) %}
  var sum{{ r }}_{{ c }} = 0.0;
{% endfor %}
{% endfor %}
  for (var b = 0u; b < blocks; b++) {
{% if quantized %}
    let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
{% for q in range(rows // 4) %}
    let at{{ q }} = {{ w.quad_block("quad%d" % q, vectors, storage) }};
    {{ w.let_scales("d%d" % q, "at%d" % q, vectors, storage) -}}
{% endfor %}
{% endif %}
{% if weight == "q4_0" %}
    let low = vec4<u32>(0x0000000Fu, 0x00000F00u, 0x000F0000u, 0x0F000000u);
    let high = vec4<u32>(0x000000F0u, 0x0000F000u, 0x00F00000u, 0xF0000000u);
{% for r in range(rows) %}
    let q{{ r }} = {{ w.quad_quants("at%d" % (r // 4), vectors, r % 4, storage) }};
{% endfor %}
{% for word in range(4) %}
    {
{% for r in range(rows) %}
{% set d = "d%d.%s" % (r // 4, "xyzw"[r % 4]) %}
{% set word_of_row = "vec4<u32>(q%d.%s)" % (r, "xyzw"[word]) %}
      let l{{ r }} = (vec4<f32>(vec4<i32>({{ word_of_row }} & low)) * step - vec4<f32>(8.0)) * {{ d }};
      let h{{ r }} = (vec4<f32>(vec4<i32>({{ word_of_row }} & high)) * (step * 0.0625) - vec4<f32>(8.0, 8.0, 8.0, 0.0)) * {{ d }};
{% endfor %}
{% for c in range(columns) %}
      let a{{ c }} = x[x{{ c }} + b * 8u + {{ word }}u];
      let b{{ c }} = x[x{{ c }} + b * 8u + {{ word + 4 }}u];
{% for r in range(rows) %}
      sum{{ r }}_{{ c }} += dot(l{{ r }}, a{{ c }}) + dot(h{{ r }}, b{{ c }});
{% endfor %}
{% endfor %}
    }
{% endfor %}
{% elif weight == "q8_0" %}
    let byte = vec4<u32>(0x000000FFu, 0x0000FF00u, 0x00FF0000u, 0xFF000000u);
{% for half in range(2) %}
    {
{% for r in range(rows) %}
      let q{{ r }} = {{ w.quad_quants("at%d" % (r // 4), vectors, r % 4 * 2 + half, storage) }};
{% endfor %}
{% for word in range(4) %}
      {
{% for r in range(rows) %}
        let v{{ r }} = (vec4<f32>(vec4<i32>(vec4<u32>(q{{ r }}.{{ "xyzw"[word] }}) & byte)) * step - vec4<f32>(128.0, 128.0, 128.0, 0.0)) * d{{ r // 4 }}.{{ "xyzw"[r % 4] }};
{% endfor %}
{% for c in range(columns) %}
        let a{{ c }} = x[x{{ c }} + b * 8u + {{ half * 4 + word }}u];
{% for r in range(rows) %}
        sum{{ r }}_{{ c }} += dot(v{{ r }}, a{{ c }});
{% endfor %}
{% endfor %}
      }
{% endfor %}
    }
{% endfor %}
{% elif weight == "f16" %}
{% for r in range(rows) %}
    let q{{ r }} = quants[start{{ r }} + b];
    let u{{ r }} = vec4<f32>(unpack2x16float(q{{ r }}.x), unpack2x16float(q{{ r }}.y));
    let v{{ r }} = vec4<f32>(unpack2x16float(q{{ r }}.z), unpack2x16float(q{{ r }}.w));
{% endfor %}
{% for c in range(columns) %}
    let a{{ c }} = x[x{{ c }} + b * 2u];
    let b{{ c }} = x[x{{ c }} + b * 2u + 1u];
{% for r in range(rows) %}
    sum{{ r }}_{{ c }} += dot(u{{ r }}, a{{ c }}) + dot(v{{ r }}, b{{ c }});
{% endfor %}
{% endfor %}
{% else %}
{% for r in range(rows) %}
    let q{{ r }} = quants[start{{ r }} + b];
{% endfor %}
{% for c in range(columns) %}
    let a{{ c }} = x[x{{ c }} + b];
{% for r in range(rows) %}
    sum{{ r }}_{{ c }} += {{ "q%d * a%d" % (r, c) if weight == "f32_scalar" else "dot(q%d, a%d)" % (r, c) }};
{% endfor %}
{% endfor %}
{% endif %}
  }
  // Out of the registers for good, so that the epilogue is there once and not {{ rows * columns }} times.
  var sums = array<f32, {{ rows * columns }}>(
{%- for c in range(columns) %}{% for r in range(rows) %}sum{{ r }}_{{ c }}, {% endfor %}{% endfor %});
  for (var i = 0u; i < {{ rows * columns }}u; i++) {
    let row = row0 + i % {{ rows }}u;
    let column = column0 + i / {{ rows }}u;
    if (row < dims.rows && column < dims.n) {
      let up = sums[min(i + GATED, {{ rows * columns - 1 }}u)];
      finish(dims.row_begin + row, dims.y_offset + column * dims.y_stride, sums[i], up);
    }
  }
}
