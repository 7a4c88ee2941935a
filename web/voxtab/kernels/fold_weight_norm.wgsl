// w = v g / |v|, in place: each group of weights is one slice along the axis that g has, and |v| its Euclidean norm.
// Weight (a, b) of group j lies at j x stride + a x outer_stride + b x inner_stride. grid: `groups` workgroups of 64.
@group(0) @binding(0) var<storage, read_write> weights: array<f32>;
@group(0) @binding(1) var<storage, read> gains: array<f32>;
struct Dims { stride: u32, outer: u32, outer_stride: u32, inner: u32, inner_stride: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;
var<workgroup> partial: array<f32, 64>;

fn place(j: u32, i: u32) -> u32 {
  return j * dims.stride + i / dims.inner * dims.outer_stride + i % dims.inner * dims.inner_stride;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = dims.outer * dims.inner;
  var squares = 0.0;
  for (var i = lane; i < count; i += 64u) {
    let v = weights[place(group.x, i)];
    squares += v * v;
  }
  partial[lane] = squares;
  workgroupBarrier();
  var total = 0.0;
  for (var t = 0u; t < 64u; t++) {
    total += partial[t];
  }
  let scale = gains[group.x] / sqrt(total);
  for (var i = lane; i < count; i += 64u) {
    weights[place(group.x, i)] *= scale;
  }
}
