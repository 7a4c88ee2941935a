// y[to + i] = x[from + i] for i < count floats. grid: (ceil(count / 64) up to 32768, rest) workgroups of 64.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
struct Dims { count: u32, from_index: u32, to_index: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < dims.count) {
    y[dims.to_index + i] = x[dims.from_index + i];
  }
}
