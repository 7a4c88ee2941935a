// power[f, k] = |gain sum_s pcm[hop f + s] table[s, k]|^2      table: Hann window times (cos, sin), made on the host in float64
// pcm: f32, frame f starts at hop x f; table: vec2<f32>[window, bins]; power: f32[frames, bins].
// grid: (ceil(bins / 64), frames) workgroups of 64.
@group(0) @binding(0) var<storage, read> pcm: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> power: array<f32>;
struct Dims { bins: u32, hop: u32, window: u32, gain: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= dims.bins) {
    return;
  }
  let start = id.y * dims.hop;
  var sum = vec2<f32>(0.0);
  for (var s = 0u; s < dims.window; s++) {
    sum += pcm[start + s] * table[s * dims.bins + id.x];
  }
  sum *= bitcast<f32>(dims.gain);
  power[id.y * dims.bins + id.x] = dot(sum, sum);
}
