// y[p, r] = epilogue(sum_c W[r, c] x[p, c]) for at most {{ columns }} rows p of x; epilogue.wgsl: a bias or scale a row, then GELU and
// the like{{ "; x may be normed on its way in" if columns == 1 }}. For GPUs, whose lanes want to read side by side: four of them take the four rows of a quad, 64 bytes end to end.
// W: rows x cols, block-quantized, see weights.wgsl; x row p at x_offset + p x_stride; y row p at y_offset + p y_stride.
// grid: (ceil(rows / {{ rows }}), ceil(n / {{ columns }})) workgroups of {{ threads }} threads, which go through the columns of W in steps of {{ threads // 4 }} blocks.
{% import "weights.wgsl" as w %}
{% import "norm_input.wgsl" as norm %}
{{ w.bindings(weight, "buffer") }}
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> row_values: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% include "linear_dims.wgsl" %}
{{ norm.binding("f32") if columns == 1 }}

{% include "epilogue.wgsl" %}
{% set quads = rows // 4 %}
{% set step = threads // 4 %}
const THREADS = {{ threads }}u;
const STEP = {{ step }}u;
// A step's blocks of x: vector v of block b of row c at (c STEP + b) 8 + (v ^ b % 8), so that eight blocks' vectors lie in as
// many banks. Afterwards the lanes' sums.
var<workgroup> tile: array<vec4<f32>, {{ [step * columns * 8, threads * columns * ((quads + 3) // 4)] | max }}>;
{% if columns == 1 %}
var<workgroup> partial_squares: array<f32, {{ threads }}>;
{% endif %}

// Of the lanes that took row r of the group, for row c of x.
fn row_sum(r: u32, c: u32) -> f32 {
  let first = (c * {{ (quads + 3) // 4 }}u + r / 16u) * THREADS + r % 4u;
  var sum = 0.0;
  for (var t = 0u; t < STEP; t++) {
    sum += tile[first + 4u * t][r / 4u % 4u];
  }
  return sum;
}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_row = group.x * {{ rows }}u;
  let column0 = group.y * {{ columns }}u;
  let last = dims.rows - 1u;
  let blocks = dims.blocks;
  let r = lane % 4u; // its row of every quad
  let mine = lane / 4u;
{% for q in range(quads) %}
  let quad{{ q }} = min(first_row + {{ 4 * q }}u, last) / 4u * blocks;
{% for c in range(columns) %}
  var sum{{ q }}_{{ c }} = 0.0;
{% endfor %}
{% endfor %}
{% if columns == 1 %}
  var squares = 0.0;
{% endif %}
  for (var b0 = 0u; b0 < blocks; b0 += STEP) {
    workgroupBarrier();
    for (var i = lane; i < STEP * {{ columns * 8 }}u; i += THREADS) {
      let block = i / 8u % STEP;
      var value = vec4<f32>(0.0);
      if (b0 + block < blocks) {
        let b = (b0 + block) * 8u + i % 8u;
        let column = min(column0 + i / (8u * STEP), dims.n - 1u);
        value = x[(dims.x_offset + column * dims.x_stride) / 4u + b];
{{ norm.gather("f32", ["value"]) if columns == 1 }}
      }
      tile[(i & ~7u) + ((i ^ block) & 7u)] = value;
    }
    workgroupBarrier();
    let b = min(b0 + mine, blocks - 1u); // beyond the last one x is zero
    let turn = mine & 7u;
{% for q in range(quads) %}
    let at{{ q }} = quad{{ q }} + b;
    let pair{{ q }} = unpack2x16float(select(scales[at{{ q }}].x, scales[at{{ q }}].y, r >= 2u));
    let d{{ q }} = select(pair{{ q }}.x, pair{{ q }}.y, (r & 1u) == 1u);
{% endfor %}
{% if weight == "q4_0" %}
    // Nibbles are masked in place; see matvec.wgsl.
    let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
    let low = vec4<u32>(0x0000000Fu, 0x00000F00u, 0x000F0000u, 0x0F000000u);
    let high = vec4<u32>(0x000000F0u, 0x0000F000u, 0x00F00000u, 0xF0000000u);
{% for q in range(quads) %}
    let q{{ q }} = quants[at{{ q }} * 4u + r];
{% endfor %}
{% for word in range(4) %}
    {
{% for q in range(quads) %}
      let w{{ q }} = vec4<u32>(q{{ q }}.{{ "xyzw"[word] }});
      let l{{ q }} = (vec4<f32>(vec4<i32>(w{{ q }} & low)) * step - vec4<f32>(8.0)) * d{{ q }};
      let h{{ q }} = (vec4<f32>(vec4<i32>(w{{ q }} & high)) * (step * 0.0625) - vec4<f32>(8.0, 8.0, 8.0, 0.0)) * d{{ q }};
{% endfor %}
{% for c in range(columns) %}
      let a{{ c }} = tile[({{ c }}u * STEP + mine) * 8u + ({{ word }}u ^ turn)];
      let b{{ c }} = tile[({{ c }}u * STEP + mine) * 8u + ({{ word + 4 }}u ^ turn)];
{% for q in range(quads) %}
      sum{{ q }}_{{ c }} += dot(l{{ q }}, a{{ c }}) + dot(h{{ q }}, b{{ c }});
{% endfor %}
{% endfor %}
    }
{% endfor %}
{% else %}
    let step = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);
    let byte = vec4<u32>(0x000000FFu, 0x0000FF00u, 0x00FF0000u, 0xFF000000u);
{% for half in range(2) %}
    {
{% for q in range(quads) %}
      let q{{ q }} = quants[at{{ q }} * 8u + r * 2u + {{ half }}u];
{% endfor %}
{% for word in range(4) %}
      {
{% for q in range(quads) %}
        let v{{ q }} = (vec4<f32>(vec4<i32>(vec4<u32>(q{{ q }}.{{ "xyzw"[word] }}) & byte)) * step - vec4<f32>(128.0, 128.0, 128.0, 0.0)) * d{{ q }};
{% endfor %}
{% for c in range(columns) %}
        let a{{ c }} = tile[({{ c }}u * STEP + mine) * 8u + ({{ half * 4 + word }}u ^ turn)];
{% for q in range(quads) %}
        sum{{ q }}_{{ c }} += dot(v{{ q }}, a{{ c }});
{% endfor %}
{% endfor %}
      }
{% endfor %}
    }
{% endfor %}
{% endif %}
  }
  workgroupBarrier();
{% for c in range(columns) %}
{% for g in range(0, quads, 4) %}
  tile[{{ c * ((quads + 3) // 4) + g // 4 }}u * THREADS + lane] = vec4<f32>(
{%- for q in range(g, g + 4) %}{{ "sum%d_%d" % (q, c) if q < quads else "0.0" }}{{ ", " if not loop.last }}{% endfor %});
{% endfor %}
{% endfor %}
{% if columns == 1 %}
  partial_squares[lane] = squares;
{% endif %}
  workgroupBarrier();
{% if columns == 1 %}
  var all_squares = 0.0;
  for (var t = 0u; t < THREADS; t++) {
    all_squares += partial_squares[t];
  }
  let factor = {{ norm.factor(weight, "all_squares") }};
{% else %}
  const factor = 1.0;
{% endif %}
  for (var i = lane; i < {{ rows * columns }}u; i += THREADS) {
    let r = i % {{ rows }}u;
    let row = first_row + r;
    let column = column0 + i / {{ rows }}u;
    if (row < dims.rows && column < dims.n) {
      var up = 0.0;
      if (dims.epilogue == 4u && (r & 2u) == 0u) {
        up = row_sum(r + 2u, i / {{ rows }}u) * factor;
      }
      finish(dims.row_begin + row, dims.y_offset + column * dims.y_stride, row_sum(r, i / {{ rows }}u) * factor, up);
    }
  }
}
