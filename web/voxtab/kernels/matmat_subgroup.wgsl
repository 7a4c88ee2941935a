// y[p, r] = epilogue(sum_c W[r, c] x[p, c]) for n rows p of x; epilogue.wgsl: a bias or scale a row, then GELU and the like.
// For GPUs that multiply small matrices in hardware: {{ high }} x {{ deep }} by {{ deep }} x {{ wide }} of {{ component }} at a time, into f32.
// W: rows x cols, block-quantized, see weights.wgsl; x row p at x_offset + p x_stride; y row p at y_offset + p y_stride.
// grid: (ceil(rows / {{ rows }}), ceil(n / {{ columns }})) workgroups of {{ threads }} threads, which are a subgroup; were they several, all would do the same.
// Run in f16 8 x 8 x 8 alone, in Chromium 156 on lavapipe (Mesa 26.2, subgroups of 8); written out by hand in all sizes: see
// tests/parity/test_subgroup_matrices.py. No GPU was at hand.
{% import "weights.wgsl" as w %}
enable subgroups;
enable chromium_experimental_subgroup_matrix;
{% if component == "f16" %}
enable f16;
{% endif %}
{{ w.bindings(weight, "buffer") }}
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> row_values: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% include "linear_dims.wgsl" %}

{% include "epilogue.wgsl" %}
const THREADS = {{ threads }}u;
// Columns come before rows.
alias Left = subgroup_matrix_left<{{ component }}, {{ deep }}, {{ high }}>;
alias Right = subgroup_matrix_right<{{ component }}, {{ wide }}, {{ deep }}>;
alias Sums = subgroup_matrix_result<f32, {{ wide }}, {{ high }}>;
{% set parts = ["high", "low"] if component == "f16" else ["high"] %}
// A block of each row, end to end.
{% for part in parts %}
var<workgroup> weights_{{ part }}: array<vec4<{{ component }}>, {{ rows * 8 }}>;
var<workgroup> values_{{ part }}: array<vec4<{{ component }}>, {{ columns * 8 }}>;
{% endfor %}
var<workgroup> sums: array<f32, {{ 16 * columns }}>;
{% if component == "f16" %}
// An f32 is the sum of two f16 but for 2^-22 of it, where neither leaves their range: 65504 at most, 2^-14 at least where
// smaller ones become 0. So a row of x is multiplied by what brings its largest value to 256 .. 512, and W, which is rarely
// above 1, by 256. Powers of two: nothing is rounded.
var<workgroup> largest: array<atomic<u32>, {{ columns }}>;

fn power_of_two(exponent: u32) -> f32 {
  return bitcast<f32>(exponent << 23u);
}

// Of a row's largest value, as floats have it; kept from the ends so that a factor and its inverse are normal numbers.
fn exponent_of(column: u32) -> u32 {
  return clamp(atomicLoad(&largest[column]) >> 23u, 32u, 253u);
}

// The bits that an f16 has room for. f32(f16(v)) says the same, and compilers make v of it (Mesa's does), and the rest 0.
fn high_bits(v: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) & vec4<u32>(0xFFFFE000u));
}
{% else %}
fn high_bits(v: vec4<f32>) -> vec4<f32> {
  return v;
}
{% endif %}

{% for what in ("weights", "values") %}
fn put_{{ what }}(at: u32, value: vec4<f32>) {
  let high = high_bits(value);
  {{ what }}_high[at] = vec4<{{ component }}>(high);
{% if component == "f16" %}
  {{ what }}_low[at] = vec4<f16>(value - high);
{% endif %}
}

{% endfor %}
@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let blocks = dims.blocks;
  let row0 = group.x * {{ rows }}u;
  let column0 = group.y * {{ columns }}u;
  let last_quad = (dims.rows - 1u) / 4u;
  let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
{% for m in range(rows // high) %}
{% for n in range(columns // wide) %}
  var sum{{ m }}_{{ n }} = Sums();
{% endfor %}
{% endfor %}
{% if component == "f16" %}
  for (var i = lane; i < {{ columns }}u; i += THREADS) {
    atomicStore(&largest[i], 0u);
  }
  workgroupBarrier();
  for (var i = 0u; i < min({{ columns }}u, dims.n - column0); i++) {
    let start = (dims.x_offset + (column0 + i) * dims.x_stride) / 4u;
    var most = vec4<f32>(0.0);
    for (var k = lane; k < blocks * 8u; k += THREADS) {
      most = max(most, abs(x[start + k]));
    }
    // Floats of no sign are in the order of their bits.
    atomicMax(&largest[i], bitcast<u32>(max(max(most.x, most.y), max(most.z, most.w))));
  }
{% endif %}
  for (var b = 0u; b < blocks; b++) {
    workgroupBarrier();
    // Units of four elements of a row.
    for (var unit = lane; unit < {{ 8 * rows }}u; unit += THREADS) {
      let k = unit % 8u;
      let row = unit / 8u;
      let at = min((row0 + row) / 4u, last_quad) * blocks + b;
      let d = {{ w.quad_scales("at") }}[row % 4u]{{ " * 256.0" if component == "f16" else "" }};
{% if weight == "q4_0" %}
      // Nibbles are masked in place; see matvec.wgsl. Low ones are elements 0 .. 15, high ones the others.
      let high = k >= 4u;
      let mask = select(vec4<u32>(0x0000000Fu, 0x00000F00u, 0x000F0000u, 0x0F000000u), vec4<u32>(0x000000F0u, 0x0000F000u, 0x00F00000u, 0xF0000000u), high);
      let less = vec4<f32>(8.0, 8.0, 8.0, select(8.0, 0.0, high));
      let raw = vec4<i32>(vec4<u32>(quants[at * 4u + row % 4u][k % 4u]) & mask);
      put_weights(unit, (vec4<f32>(raw) * step * select(1.0, 0.0625, high) - less) * d);
{% else %}
      let raw = vec4<i32>(vec4<u32>(quants[at * 8u + row % 4u * 2u + k / 4u][k % 4u]) & vec4<u32>(0x000000FFu, 0x0000FF00u, 0x00FF0000u, 0xFF000000u));
      put_weights(unit, (vec4<f32>(raw) * step - vec4<f32>(128.0, 128.0, 128.0, 0.0)) * d);
{% endif %}
    }
    for (var unit = lane; unit < {{ 8 * columns }}u; unit += THREADS) {
      let column = min(column0 + unit / 8u, dims.n - 1u);
      let value = x[(dims.x_offset + column * dims.x_stride) / 4u + b * 8u + unit % 8u];
      put_values(unit, value{{ " * power_of_two(262u - exponent_of(column - column0))" if component == "f16" else "" }});
    }
    workgroupBarrier();
{% for k in range(0, 32, deep) %}
    {
{% for part in parts %}
{% for n in range(columns // wide) %}
      let x_{{ part }}{{ n }} = subgroupMatrixLoad<Right, col_major>(&values_{{ part }}, {{ n * wide * 8 + k // 4 }}u, 8u);
{% endfor %}
{% endfor %}
{% for m in range(rows // high) %}
      {
{% for part in parts %}
        let w_{{ part }} = subgroupMatrixLoad<Left, row_major>(&weights_{{ part }}, {{ m * high * 8 + k // 4 }}u, 8u);
{% endfor %}
{% for n in range(columns // wide) %}
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
{% for m in range(part // high, (part + 16) // high) %}
{% for n in range(columns // wide) %}
  subgroupMatrixStore<col_major>(&sums, {{ n * wide * 16 + m * high - part }}u, sum{{ m }}_{{ n }}, 16u);
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
      let factor = {{ "power_of_two(exponent_of(i / 16u) - 16u)" if component == "f16" else "1.0" }};
      let up = sums[min(i + 2u, {{ 16 * columns - 1 }}u)] * factor;
      finish(dims.row_begin + row, dims.y_offset + column * dims.y_stride, sums[i] * factor, up);
    }
  }
}
