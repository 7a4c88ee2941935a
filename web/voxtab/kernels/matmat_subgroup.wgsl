// y[p, r] = epilogue(sum_c W[r, c] x[p, c]) for n rows p of x; epilogue.wgsl: a bias or scale a row, then GELU and the like.
// For GPUs that multiply small matrices in hardware: {{ size }} x {{ size }} of {{ component }} at a time, into f32.
// W: rows x cols, block-quantized, see weights.wgsl; x row p at x_offset + p x_stride; y row p at y_offset + p y_stride.
// grid: (ceil(rows / {{ rows }}), ceil(n / {{ columns }})) workgroups of {{ threads }} threads, which are a subgroup; were they several, all would do the same.
{% import "weights.wgsl" as w %}
enable subgroups;
enable chromium_experimental_subgroup_matrix;
{% if component == "f16" %}
enable f16;
{% endif %}
{{ w.bindings(weight) }}
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> row_values: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% include "linear_dims.wgsl" %}

{% include "epilogue.wgsl" %}
const THREADS = {{ threads }}u;
alias Left = subgroup_matrix_left<{{ component }}, {{ size }}, {{ size }}>;
alias Right = subgroup_matrix_right<{{ component }}, {{ size }}, {{ size }}>;
alias Sums = subgroup_matrix_result<f32, {{ size }}, {{ size }}>;
// A block of each row, end to end. An f32 is the sum of two f16 but for 2^-22 of it: {{ "as that it is multiplied" if component == "f16" else "not needed here" }}.
{% set parts = ["high", "low"] if component == "f16" else ["high"] %}
{% for part in parts %}
var<workgroup> weights_{{ part }}: array<{{ component }}, {{ rows * 32 }}>;
var<workgroup> values_{{ part }}: array<{{ component }}, {{ columns * 32 }}>;
{% endfor %}
var<workgroup> sums: array<f32, {{ 16 * columns }}>;

fn put_weights(at: u32, value: vec4<f32>) {
{% for j in range(4) %}
  weights_high[at + {{ j }}u] = {{ component }}(value.{{ "xyzw"[j] }});
{% if component == "f16" %}
  weights_low[at + {{ j }}u] = f16(value.{{ "xyzw"[j] }} - f32(f16(value.{{ "xyzw"[j] }})));
{% endif %}
{% endfor %}
}

fn put_values(at: u32, value: vec4<f32>) {
{% for j in range(4) %}
  values_high[at + {{ j }}u] = {{ component }}(value.{{ "xyzw"[j] }});
{% if component == "f16" %}
  values_low[at + {{ j }}u] = f16(value.{{ "xyzw"[j] }} - f32(f16(value.{{ "xyzw"[j] }})));
{% endif %}
{% endfor %}
}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let blocks = dims.blocks;
  let row0 = group.x * {{ rows }}u;
  let column0 = group.y * {{ columns }}u;
  let last_quad = (dims.rows - 1u) / 4u;
  let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
{% for m in range(rows // size) %}
{% for n in range(columns // size) %}
  var sum{{ m }}_{{ n }} = Sums();
{% endfor %}
{% endfor %}
  for (var b = 0u; b < blocks; b++) {
    workgroupBarrier();
    // Units of four elements of a row.
    for (var unit = lane; unit < {{ 8 * rows }}u; unit += THREADS) {
      let k = unit % 8u;
      let row = unit / 8u;
      let at = min((row0 + row) / 4u, last_quad) * blocks + b;
      let d = {{ w.quad_scales("at") }}[row % 4u];
{% if weight == "q4_0" %}
      // Nibbles are masked in place; see matvec.wgsl. Low ones are elements 0 .. 15, high ones the others.
      let high = k >= 4u;
      let mask = select(vec4<u32>(0x0000000Fu, 0x00000F00u, 0x000F0000u, 0x0F000000u), vec4<u32>(0x000000F0u, 0x0000F000u, 0x00F00000u, 0xF0000000u), high);
      let less = vec4<f32>(8.0, 8.0, 8.0, select(8.0, 0.0, high));
      let raw = vec4<i32>(vec4<u32>(quants[at * 4u + row % 4u][k % 4u]) & mask);
      put_weights(unit * 4u, (vec4<f32>(raw) * step * select(1.0, 0.0625, high) - less) * d);
{% else %}
      let raw = vec4<i32>(vec4<u32>(quants[at * 8u + row % 4u * 2u + k / 4u][k % 4u]) & vec4<u32>(0x000000FFu, 0x0000FF00u, 0x00FF0000u, 0xFF000000u));
      put_weights(unit * 4u, (vec4<f32>(raw) * step - vec4<f32>(128.0, 128.0, 128.0, 0.0)) * d);
{% endif %}
    }
    for (var unit = lane; unit < {{ 8 * columns }}u; unit += THREADS) {
      let column = min(column0 + unit / 8u, dims.n - 1u);
      put_values(unit * 4u, x[(dims.x_offset + column * dims.x_stride) / 4u + b * 8u + unit % 8u]);
    }
    workgroupBarrier();
{% for k in range(0, 32, size) %}
    {
{% for part in parts %}
{% for n in range(columns // size) %}
      let x_{{ part }}{{ n }} = subgroupMatrixLoad<Right>(&values_{{ part }}, {{ n * size * 32 + k }}u, true, 32u);
{% endfor %}
{% endfor %}
{% for m in range(rows // size) %}
      {
{% for part in parts %}
        let w_{{ part }} = subgroupMatrixLoad<Left>(&weights_{{ part }}, {{ m * size * 32 + k }}u, false, 32u);
{% endfor %}
{% for n in range(columns // size) %}
        sum{{ m }}_{{ n }} = subgroupMatrixMultiplyAccumulate(w_high, x_high{{ n }}, sum{{ m }}_{{ n }});
{% if component == "f16" %}
        sum{{ m }}_{{ n }} = subgroupMatrixMultiplyAccumulate(w_high, x_low{{ n }}, sum{{ m }}_{{ n }});
        sum{{ m }}_{{ n }} = subgroupMatrixMultiplyAccumulate(w_low, x_high{{ n }}, sum{{ m }}_{{ n }});
{% endif %}
{% endfor %}
      }
{% endfor %}
    }
{% endfor %}
  }
  // Sixteen rows at a time through workgroup memory, where the sums of a row of x lie end to end.
{% for part in range(0, rows, 16) %}
  workgroupBarrier();
{% for m in range(part // size, (part + 16) // size) %}
{% for n in range(columns // size) %}
  subgroupMatrixStore(&sums, {{ n * size * 16 + m * size - part }}u, sum{{ m }}_{{ n }}, true, 16u);
{% endfor %}
{% endfor %}
  workgroupBarrier();
  finish_rows(row0 + {{ part }}u, column0, lane);
{% endfor %}
}

fn finish_rows(row0: u32, column0: u32, lane: u32) {
  for (var i = lane; i < {{ 16 * columns }}u; i += THREADS) {
    let row = row0 + i % 16u;
    let column = column0 + i / 16u;
    if (row < dims.rows && column < dims.n) {
      let up = sums[min(i + 2u, {{ 16 * columns - 1 }}u)];
      finish(dims.row_begin + row, dims.y_offset + column * dims.y_stride, sums[i], up);
    }
  }
}
