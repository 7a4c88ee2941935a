// At position 0 only: x[row - j] = x[row + j] for j = 1 .. count, the left context of the first chunk.
// x: f32 rows of `width`. grid: (ceil(width / 64), count) workgroups of 64.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read> control: array<u32>;
struct Dims { width: u32, row: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (control[0] == 0u && id.x < dims.width) {
    let j = id.y + 1u;
    x[(dims.row - j) * dims.width + id.x] = x[(dims.row + j) * dims.width + id.x];
  }
}
