// x[i + 1] = x[i] + (alpha v_cond + (1 - alpha) v_uncond) dt, classifier-free guidance in one step of Euler's method.
// x: f32[steps + 1, width], the whole path; v: f32[steps, branches, width], the conditional branch first (or alone: alpha is 1).
// grid: ceil(width / 64) workgroups of 64.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read> v: array<f32>;
struct Dims { width: u32, step: u32, branches: u32, alpha: u32, dt: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= dims.width) {
    return;
  }
  let at = dims.step * dims.branches * dims.width + id.x;
  var velocity = v[at];
  if (dims.branches == 2u) {
    let alpha = bitcast<f32>(dims.alpha);
    velocity = alpha * velocity + (1.0 - alpha) * v[at + dims.width];
  }
  let from_index = dims.step * dims.width + id.x;
  x[from_index + dims.width] = x[from_index] + velocity * bitcast<f32>(dims.dt);
}
