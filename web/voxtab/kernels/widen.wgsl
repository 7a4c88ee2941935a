// {{ source }} -> f32, for vectors and for rows that fit no wider load. raw: pairs in u32; out: f32 from out_begin.
// grid: (ceil(pairs / 64) up to 32768, rest) workgroups of 64.
@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
struct Dims { count: u32, out_begin: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let pair = id.y * groups.x * 64u + id.x;
  if (pair * 2u < dims.count) {
    let bits = raw[pair];
{% if source == "f16" %}
    let wide = unpack2x16float(bits);
{% else %}
    let wide = vec2<f32>(bitcast<f32>(bits << 16u), bitcast<f32>(bits & 0xFFFF0000u));
{% endif %}
    out[dims.out_begin + pair * 2u] = wide.x;
    if (pair * 2u + 1u < dims.count) {
      out[dims.out_begin + pair * 2u + 1u] = wide.y;
    }
  }
}
