// position += n, so that a replayed program moves on by itself. grid: one workgroup of one thread.
@group(0) @binding(0) var<storage, read_write> control: array<u32>;
@group(0) @binding(1) var<uniform> n: vec4<u32>;

@compute @workgroup_size(1)
fn main() {
  control[0] += n.x;
}
