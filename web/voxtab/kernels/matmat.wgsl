// y[p, r] = epilogue(sum_c W[r, c] x[p, c]) for n rows p of x; epilogue.wgsl: a bias or scale a row, then GELU and the like
// W: rows x cols, see weights.wgsl; x row p at x_offset + p x_stride; y row p at y_offset + p y_stride.
// grid: (ceil(rows / 64), ceil(n / {{ columns }})) workgroups of 16 threads; a thread holds 4 rows of W x {{ columns }} rows of x in registers.
{% import "weights.wgsl" as w %}
{{ w.bindings(weight) }}
@group(0) @binding(2) var<storage, read> x: array<{{ w.value_type(weight) }}>;
@group(0) @binding(3) var<storage, read> row_values: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% include "linear_dims.wgsl" %}

{% include "epilogue.wgsl" %}
{% macro store(r, c) %}
  if (row{{ r }} < dims.rows && column0 + {{ c }}u < dims.n) {
    finish(dims.row_begin + row{{ r }}, dims.y_offset + (column0 + {{ c }}u) * dims.y_stride + dims.row_begin + row{{ r }}, sum{{ r }}_{{ c }});
  }
{% endmacro %}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let blocks = dims.blocks;
  let last = dims.rows - 1u;
  let column0 = group.y * {{ columns }}u;
{% for r in range(4) %}
  let row{{ r }} = group.x * 64u + lane * 4u + {{ r }}u;
  let safe{{ r }} = min(row{{ r }}, last);
{% endfor %}
{% for c in range(columns) %}
  let x{{ c }} = (dims.x_offset + min(column0 + {{ c }}u, dims.n - 1u) * dims.x_stride) / {{ "1" if weight == "f32_scalar" else "4" }}u;
{% for r in range(4) %}
  var sum{{ r }}_{{ c }} = 0.0;
{% endfor %}
{% endfor %}
  for (var b = 0u; b < blocks; b++) {
{% if weight == "q4_0" %}
    let low = vec4<u32>(0x0000000Fu, 0x00000F00u, 0x000F0000u, 0x0F000000u);
    let high = vec4<u32>(0x000000F0u, 0x0000F000u, 0x00F00000u, 0xF0000000u);
    let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
{% for r in range(4) %}
    let q{{ r }} = quants[safe{{ r }} * blocks + b];
    let d{{ r }} = scale_of(safe{{ r }}, b, blocks);
    let s{{ r }} = step * d{{ r }};
    let m{{ r }} = vec4<f32>(-8.0 * d{{ r }});
{% endfor %}
{% for word in range(4) %}
    {
{% for r in range(4) %}
      let l{{ r }} = vec4<f32>(vec4<u32>(q{{ r }}.{{ "xyzw"[word] }}) & low) * s{{ r }} + m{{ r }};
      let h{{ r }} = vec4<f32>(vec4<u32>(q{{ r }}.{{ "xyzw"[word] }}) & high) * (s{{ r }} * 0.0625) + m{{ r }};
{% endfor %}
{% for c in range(columns) %}
      let a{{ c }} = x[x{{ c }} + b * 8u + {{ word }}u];
      let b{{ c }} = x[x{{ c }} + b * 8u + {{ word + 4 }}u];
{% for r in range(4) %}
      sum{{ r }}_{{ c }} += dot(l{{ r }}, a{{ c }}) + dot(h{{ r }}, b{{ c }});
{% endfor %}
{% endfor %}
    }
{% endfor %}
{% elif weight == "q8_0" %}
    let byte = vec4<u32>(0x000000FFu, 0x0000FF00u, 0x00FF0000u, 0xFF000000u);
    let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
{% for r in range(4) %}
    let d{{ r }} = scale_of(safe{{ r }}, b, blocks);
    let s{{ r }} = step * d{{ r }};
    let m{{ r }} = vec4<f32>(-128.0 * d{{ r }});
{% endfor %}
{% for half in range(2) %}
    {
{% for r in range(4) %}
      let q{{ r }} = quants[(safe{{ r }} * blocks + b) * 2u + {{ half }}u] ^ vec4<u32>(0x80808080u);
{% endfor %}
{% for word in range(4) %}
      {
{% for r in range(4) %}
        let v{{ r }} = vec4<f32>(vec4<u32>(q{{ r }}.{{ "xyzw"[word] }}) & byte) * s{{ r }} + m{{ r }};
{% endfor %}
{% for c in range(columns) %}
        let a{{ c }} = x[x{{ c }} + b * 8u + {{ half * 4 + word }}u];
{% for r in range(4) %}
        sum{{ r }}_{{ c }} += dot(v{{ r }}, a{{ c }});
{% endfor %}
{% endfor %}
      }
{% endfor %}
    }
{% endfor %}
{% elif weight == "f16" %}
{% for r in range(4) %}
    let q{{ r }} = quants[safe{{ r }} * blocks + b];
    let u{{ r }} = vec4<f32>(unpack2x16float(q{{ r }}.x), unpack2x16float(q{{ r }}.y));
    let v{{ r }} = vec4<f32>(unpack2x16float(q{{ r }}.z), unpack2x16float(q{{ r }}.w));
{% endfor %}
{% for c in range(columns) %}
    let a{{ c }} = x[x{{ c }} + b * 2u];
    let b{{ c }} = x[x{{ c }} + b * 2u + 1u];
{% for r in range(4) %}
    sum{{ r }}_{{ c }} += dot(u{{ r }}, a{{ c }}) + dot(v{{ r }}, b{{ c }});
{% endfor %}
{% endfor %}
{% else %}
{% for r in range(4) %}
    let q{{ r }} = quants[safe{{ r }} * blocks + b];
{% endfor %}
{% for c in range(columns) %}
    let a{{ c }} = x[x{{ c }} + b];
{% for r in range(4) %}
    sum{{ r }}_{{ c }} += {{ "q%d * a%d" % (r, c) if weight == "f32_scalar" else "dot(q%d, a%d)" % (r, c) }};
{% endfor %}
{% endfor %}
{% endif %}
  }
{% for r in range(4) %}
{% for c in range(columns) %}
{{ store(r, c) }}
{%- endfor %}
{% endfor %}
}
