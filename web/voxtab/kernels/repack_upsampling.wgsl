// A transposed convolution with 4 taps and stride 2, V[i, o, k], -> a matrix over two neighbouring inputs:
// y[2t + p, o] = sum_i V[i, o, p + 2] x[t - 1, i] + V[i, o, p] x[t, i], so M[p x outputs + o, q x inputs + i] = V[i, o, p + 2 - 2q].
// raw holds some inputs, from input_begin on; f32 on both sides. grid: (ceil(outputs x 4 / 64), inputs in raw) workgroups of 64.
@group(0) @binding(0) var<storage, read> raw: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
struct Dims { inputs: u32, outputs: u32, input_begin: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < dims.outputs * 4u) {
    let o = id.x / 4u;
    let p = id.x % 2u;
    let q = 1u - (id.x % 4u) / 2u;
    let row = p * dims.outputs + o;
    out[(row * 2u + q) * dims.inputs + dims.input_begin + id.y] = raw[id.y * dims.outputs * 4u + id.x];
  }
}
