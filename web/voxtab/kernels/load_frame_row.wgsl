// x[c] = ring[control[1] % slots, c]: this frame's row of a ring that the host writes ahead. grid: ceil(width / 64) workgroups of 64.
@group(0) @binding(0) var<storage, read> ring: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> control: array<u32>;
struct Dims { width: u32, slots: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < dims.width) {
    x[id.x] = ring[(control[1] % dims.slots) * dims.width + id.x];
  }
}
