// Best (value, index) of each of as many slices of the logits as there are threads. With a temperature, Gumbel noise is added
// to logits / temperature, so that the largest is a sample of the softmax (Gumbel-max).
// logits: f32[count], the ones before `first` are masked; best: (value bits, index), one a slice; best_of.wgsl goes on from there.
// grid: any number of workgroups of 64. No thread waits for another: barriers are dear on CPU adapters.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> best: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> control: array<u32>;
struct Dims { count: u32, inverse_temperature: u32, seed: u32, first: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

// The PCG hash (Jarzynski and Olano, 2020).
fn hash(v: u32) -> u32 {
  let state = v * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let inverse = bitcast<f32>(dims.inverse_temperature);
  var value = -3.0e38;
  var index = 0xFFFFFFFFu;
  for (var i = dims.first + id.x; i < dims.count; i += groups.x * 64u) {
    var here = logits[i];
    if (inverse > 0.0) {
      let uniform01 = (f32(hash(hash(hash(dims.seed) + control[0]) + i) >> 8u) + 0.5) / 16777216.0;
      here = here * inverse - log(-log(uniform01));
    }
    if (here > value) {
      value = here;
      index = i;
    }
  }
  best[id.x] = vec2<u32>(bitcast<u32>(value), index);
}
