// y[i] = x[row + i] / sqrt(mean(x[row + i]^2) + eps) * gain     gain: f32[width] at gain_offset
// grid: n workgroups of {{ threads }}, one a row. eps arrives as its bits.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gain: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Dims { width: u32, row: u32, gain_offset: u32, eps: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;
var<workgroup> partial: array<f32, {{ threads }}>;

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let base = (dims.row + group.x) * dims.width;
  var squares = 0.0;
  for (var c = lane; c < dims.width; c += {{ threads }}u) {
    squares += x[base + c] * x[base + c];
  }
  partial[lane] = squares;
  workgroupBarrier();
  // One barrier and {{ threads }} reads each: wide tree reductions are ruinous on CPU adapters and save nothing at this size.
  var total = 0.0;
  for (var t = 0u; t < {{ threads }}u; t++) {
    total += partial[t];
  }
  let scale = inverseSqrt(total / f32(dims.width) + bitcast<f32>(dims.eps));
  for (var c = lane; c < dims.width; c += {{ threads }}u) {
    y[group.x * dims.width + c] = x[base + c] * scale * gain[dims.gain_offset + c];
  }
}
