// ring[(position / per_row + i) % slots] = x[i] for n rows of `width`: the adapter's output waits here for the decoder.
// grid: (ceil(width / 64), n) workgroups of 64. `per_row` encoder positions make one row.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> ring: array<f32>;
@group(0) @binding(2) var<storage, read> control: array<u32>;
struct Dims { width: u32, slots: u32, per_row: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < dims.width) {
    let slot = (control[0] / dims.per_row + id.y) % dims.slots;
    ring[slot * dims.width + id.x] = x[id.y * dims.width + id.x];
  }
}
