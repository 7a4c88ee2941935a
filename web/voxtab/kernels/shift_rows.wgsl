// x[to + i] = x[from + i] for i < count floats: the tail of one chunk becomes the left context of the next.
// grid: ceil(count / 64) workgroups of 64. from >= to + count, so that no thread reads what another writes.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
struct Dims { count: u32, from_index: u32, to_index: u32 }
@group(0) @binding(1) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < dims.count) {
    x[dims.to_index + id.x] = x[dims.from_index + id.x];
  }
}
