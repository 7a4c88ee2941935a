// y[r] = epilogue(sum_c W[r, c] x[c]); epilogue.wgsl: a bias or scale a row, then GELU and the like{{ "; x may be normed on its way in" if norms }}
// W: rows x cols, see weights.wgsl; x: f32[cols] at x_offset; y: f32[rows] at y_offset + row_begin.
// grid: ceil(rows / {{ rows }}) workgroups of {{ threads }} threads. Every thread takes each {{ threads }}th block of all {{ rows }} rows, so one
// load of x serves {{ rows }} rows. Bytes read: the weights once.
{% import "weights.wgsl" as w %}
{% set vectors = {"q4_0": 1, "q8_0": 2}.get(weight) %}
{% import "norm_input.wgsl" as norm %}
{% if reduce == "subgroups" %}
enable subgroups;
{% endif %}
{{ w.bindings(weight, storage) }}
{{ w.sampling(storage) -}}
@group(0) @binding(2) var<storage, read> x: array<{{ w.value_type(weight) }}>;
@group(0) @binding(3) var<storage, read> row_values: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% include "linear_dims.wgsl" %}
{{ norm.binding(weight) if norms }}

const ROWS = {{ rows }}u;
const THREADS = {{ threads }}u;
// The lanes' sums for each row, and of the squares of x.
var<workgroup> partial: array<f32, {{ (rows + 1) * threads }}>;
{% if reduce == "subgroups" %}
var<workgroup> parts: atomic<u32>; // into which the subgroups divide the lanes
{% endif %}

{% include "epilogue.wgsl" %}

// Of the lanes that are `apart`.
fn row_sum(r: u32, apart: u32) -> f32 {
  var sum = 0.0;
  for (var t = 0u; t < THREADS; t += apart) {
    sum += partial[r * THREADS + t];
  }
  return sum;
}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
{% if reduce == "subgroups" %}
  if (lane == 0u) {
    atomicStore(&parts, 1u);
  }
  workgroupBarrier();
{% endif %}
  let first_row = group.x * ROWS;
  let last = dims.rows - 1u;
  {{ w.let_texel(storage) -}}
  let blocks = dims.blocks;
{% for r in range(rows) %}
{% if weight not in ("q4_0", "q8_0") %}
  let row{{ r }} = min(first_row + {{ r }}u, last);
{% elif r % 4 == 0 %}
  let quad{{ r // 4 }} = {{ w.quad("min(first_row + %du, last)" % r, storage) }};
{% endif %}
  var sum{{ r }} = 0.0;
{% endfor %}
  let x0 = dims.x_offset / {{ "1" if weight == "f32_scalar" else "4" }}u;
  var squares = 0.0;
  for (var b = lane; b < blocks; b += THREADS) {
{% if weight == "q4_0" %}
    // Nibbles are masked in place and never shifted; the activation carries the power of two instead. They become floats as
    // signed integers, for which CPU adapters have an instruction.
    let xb = x0 + b * 8u;
    let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
    var a0 = x[xb]; var a1 = x[xb + 1u]; var a2 = x[xb + 2u]; var a3 = x[xb + 3u];
    var a4 = x[xb + 4u]; var a5 = x[xb + 5u]; var a6 = x[xb + 6u]; var a7 = x[xb + 7u];
{{ norm.gather(weight, ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"]) if norms }}
    // The 8 in (q - 8) d, for the whole block at once; the topmost nibble of a word has it already.
    let offset = 8.0 * (dot(a0 + a1 + a2 + a3, vec4<f32>(1.0)) + dot((a4 + a5 + a6 + a7).xyz, vec3<f32>(1.0)));
    let low = vec4<u32>(0x0000000Fu, 0x00000F00u, 0x000F0000u, 0x0F000000u);
    let high = vec4<u32>(0x000000F0u, 0x0000F000u, 0x00F00000u, 0xF0000000u);
    let l0 = a0 * step; let l1 = a1 * step; let l2 = a2 * step; let l3 = a3 * step;
    let h0 = a4 * step * 0.0625; let h1 = a5 * step * 0.0625; let h2 = a6 * step * 0.0625; let h3 = a7 * step * 0.0625;
{% for r in range(0, rows, 4) %}
    {
      let at = {{ w.quad_block("quad%d" % (r // 4), vectors, storage) }};
      {{ w.let_scales("d", "at", vectors, storage) -}}
{% for k in range(4) %}
      let q{{ k }} = {{ w.quad_quants("at", vectors, k, storage) }};
      sum{{ r + k }} += d.{{ "xyzw"[k] }} * (dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.x) & low)), l0) + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.x) & high)), h0)
        + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.y) & low)), l1) + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.y) & high)), h1)
        + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.z) & low)), l2) + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.z) & high)), h2)
        + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.w) & low)), l3) + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.w) & high)), h3) - offset);
{% endfor %}
    }
{% endfor %}
{% elif weight == "q8_0" %}
    // Bytes are q + 128, taken back for the whole block at once; the topmost of a word is q.
    let xb = x0 + b * 8u;
    let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
    let byte = vec4<u32>(0x000000FFu, 0x0000FF00u, 0x00FF0000u, 0xFF000000u);
{% for v in range(8) %}
    var a{{ v }} = x[xb + {{ v }}u];
{% endfor %}
{{ norm.gather(weight, ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"]) if norms }}
    var total = vec3<f32>(0.0);
{% for v in range(8) %}
    total += a{{ v }}.xyz; a{{ v }} *= step;
{% endfor %}
    let offset = 128.0 * dot(total, vec3<f32>(1.0));
{% for r in range(0, rows, 4) %}
    {
      let at = {{ w.quad_block("quad%d" % (r // 4), vectors, storage) }};
      {{ w.let_scales("d", "at", vectors, storage) -}}
{% for k in range(4) %}
      let p{{ k }} = {{ w.quad_quants("at", vectors, 2 * k, storage) }};
      let q{{ k }} = {{ w.quad_quants("at", vectors, 2 * k + 1, storage) }};
      sum{{ r + k }} += d.{{ "xyzw"[k] }} * (dot(vec4<f32>(vec4<i32>(vec4<u32>(p{{ k }}.x) & byte)), a0) + dot(vec4<f32>(vec4<i32>(vec4<u32>(p{{ k }}.y) & byte)), a1)
        + dot(vec4<f32>(vec4<i32>(vec4<u32>(p{{ k }}.z) & byte)), a2) + dot(vec4<f32>(vec4<i32>(vec4<u32>(p{{ k }}.w) & byte)), a3)
        + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.x) & byte)), a4) + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.y) & byte)), a5)
        + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.z) & byte)), a6) + dot(vec4<f32>(vec4<i32>(vec4<u32>(q{{ k }}.w) & byte)), a7) - offset);
{% endfor %}
    }
{% endfor %}
{% elif weight == "f16" %}
    var a0 = x[x0 + b * 2u];
    var a1 = x[x0 + b * 2u + 1u];
{{ norm.gather(weight, ["a0", "a1"]) if norms }}
{% for r in range(rows) %}
    {
      let q = quants[row{{ r }} * blocks + b];
      sum{{ r }} += dot(vec4<f32>(unpack2x16float(q.x), unpack2x16float(q.y)), a0) + dot(vec4<f32>(unpack2x16float(q.z), unpack2x16float(q.w)), a1);
    }
{% endfor %}
{% elif weight == "f32" %}
    var a = x[x0 + b];
{{ norm.gather(weight, ["a"]) if norms }}
{% for r in range(rows) %}
    sum{{ r }} += dot(quants[row{{ r }} * blocks + b], a);
{% endfor %}
{% else %}
    var a = x[x0 + b];
{{ norm.gather(weight, ["a"]) if norms }}
{% for r in range(rows) %}
    sum{{ r }} += quants[row{{ r }} * blocks + b] * a;
{% endfor %}
{% endif %}
  }
{% if reduce == "subgroups" %}
  // A sum for each subgroup, in the place of its first lane, and zeros. Which lanes make up one is up to the driver: where
  // each has its share of consecutive ones only their first places are added up.
  let first = subgroupMin(lane);
  let length = subgroupMax(lane) - first + 1u;
  let members = subgroupAdd(1u);
{% for r in range(rows) %}
  let sum_of_all{{ r }} = subgroupAdd(sum{{ r }});
  partial[{{ r }}u * THREADS + lane] = select(0.0, sum_of_all{{ r }}, lane == first);
{% endfor %}
  let all_squares = subgroupAdd(squares);
  partial[ROWS * THREADS + lane] = select(0.0, all_squares, lane == first);
  let even = length == members && THREADS % members == 0u && first % members == 0u;
  if (lane == first) {
    atomicMax(&parts, select(THREADS, THREADS / members, even));
  }
  workgroupBarrier();
  let apart = THREADS / atomicLoad(&parts);
{% else %}
{% for r in range(rows) %}
  partial[{{ r }}u * THREADS + lane] = sum{{ r }};
{% endfor %}
  partial[ROWS * THREADS + lane] = squares;
  workgroupBarrier();
  const apart = 1u;
{% endif %}
{% if norms %}
  let factor = {{ norm.factor(weight, "row_sum(ROWS, apart)") }};
{% else %}
  const factor = 1.0;
{% endif %}
  for (var r = lane; r < ROWS; r += THREADS) {
    let row = first_row + r;
    if (row < dims.rows) {
      var up = 0.0;
      if (dims.epilogue == 4u && (r & GATED) == 0u) {
        up = row_sum(r + GATED, apart) * factor;
      }
      finish(dims.row_begin + row, dims.y_offset, row_sum(r, apart) * factor, up);
    }
  }
}
