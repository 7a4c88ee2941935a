// The index of the best of `slices` (value bits, index), for all of a workgroup's 64 threads; ties go to the lower index.
var<workgroup> finalists: array<vec2<u32>, 64>;

fn better(one: vec2<u32>, other: vec2<u32>) -> vec2<u32> {
  let a = bitcast<f32>(one.x);
  let b = bitcast<f32>(other.x);
  return select(one, other, b > a || (b == a && other.y < one.y));
}

fn best_of(slices: u32, lane: u32) -> u32 {
  var found = best[lane];
  for (var t = lane + 64u; t < slices; t += 64u) {
    found = better(found, best[t]);
  }
  finalists[lane] = found;
  workgroupBarrier();
  found = finalists[0];
  for (var t = 1u; t < 64u; t++) {
    found = better(found, finalists[t]);
  }
  return found.y;
}
