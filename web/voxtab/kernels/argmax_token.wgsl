// The best of 64 (value, index) becomes the token of the next position: tokens[(pos + n) % slots].
// grid: one workgroup of one thread. `last` keeps a NaN-filled row (nothing compares greater) inside the vocabulary.
@group(0) @binding(0) var<storage, read> best: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(2) var<storage, read> control: array<u32>;
struct Dims { n: u32, slots: u32, last: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(1)
fn main() {
  var value = bitcast<f32>(best[0].x);
  var index = best[0].y;
  for (var t = 1u; t < 64u; t++) {
    let other = bitcast<f32>(best[t].x);
    if (other > value || (other == value && best[t].y < index)) {
      value = other;
      index = best[t].y;
    }
  }
  tokens[(control[0] + dims.n) % dims.slots] = min(index, dims.last);
}
