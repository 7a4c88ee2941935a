// position += n, frame += frames, so that a replayed program moves on by itself. grid: one workgroup of one thread.
@group(0) @binding(0) var<storage, read_write> control: array<u32>;
@group(0) @binding(1) var<uniform> by: vec4<u32>;

@compute @workgroup_size(1)
fn main() {
  control[0] += by.x;
  control[1] += by.y;
}
