// One row of attention from its parts: out[h] = sum over parts of exp(m - max m) sums / the same of totals.
// parts: f32 pairs[heads, splits, hd / 2 + 1], of each the weighted values, then (m, total); out: f32[heads x hd].
// grid: heads workgroups of 64.
@group(0) @binding(0) var<storage, read> parts: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec2<f32>>;
struct Dims { head_pairs: u32, splits: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let pairs = dims.head_pairs;
  let first = group.x * dims.splits * (pairs + 1u);
  var highest = -3.0e38;
  for (var s = 0u; s < dims.splits; s++) {
    highest = max(highest, parts[first + s * (pairs + 1u) + pairs].x);
  }
  for (var j = lane; j < pairs; j += 64u) {
    var sum = vec2<f32>(0.0);
    var total = 0.0;
    for (var s = 0u; s < dims.splits; s++) {
      let at = first + s * (pairs + 1u);
      let of_part = parts[at + pairs];
      let weight = exp(of_part.x - highest);
      sum += weight * parts[at + j];
      total += weight * of_part.y;
    }
    out[group.x * pairs + j] = sum / total;
  }
}
