// W[o, i, k] -> W[o, k, i], so that the kernel's taps read neighbouring frames as one row. f32 on both sides.
// raw holds some outputs; they become rows row_begin .. of out. grid: (ceil(inputs x taps / 64), outputs) workgroups of 64.
@group(0) @binding(0) var<storage, read> raw: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
struct Dims { inputs: u32, taps: u32, row_begin: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = dims.inputs * dims.taps;
  if (id.x < row) {
    let tap = id.x / dims.inputs;
    let input = id.x % dims.inputs;
    out[(dims.row_begin + id.y) * row + id.x] = raw[id.y * row + input * dims.taps + tap];
  }
}
