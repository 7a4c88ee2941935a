// RMS-normalizes q in place, and k on its way into the cache, over the whole rows; stores v.
// qkv: f32[n, 3 width], q, k and v end to end; q_norm, k_norm: f32[width]; caches: [slots, width / 2] pairs, slot = position % slots,
// position = control x rate + row. grid: n workgroups of {{ threads }}, one a row. eps arrives as its bits.
{% import "cache_pairs.wgsl" as c %}
@group(0) @binding(0) var<storage, read_write> qkv: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> q_norm: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> k_norm: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> keys: array<{{ c.pair_type(cache) }}>;
@group(0) @binding(4) var<storage, read_write> values: array<{{ c.pair_type(cache) }}>;
@group(0) @binding(5) var<storage, read> control: array<u32>;
struct Dims { pairs: u32, slots: u32, rate: u32, eps: u32 }
@group(0) @binding(6) var<uniform> dims: Dims;
// Sums of squares of q and k.
var<workgroup> partial: array<vec2<f32>, {{ threads }}>;

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let q = group.x * 3u * dims.pairs;
  let k = q + dims.pairs;
  let v = k + dims.pairs;
  var squares = vec2<f32>(0.0);
  for (var p = lane; p < dims.pairs; p += {{ threads }}u) {
    let a = qkv[q + p];
    let b = qkv[k + p];
    squares += vec2<f32>(dot(a, a), dot(b, b));
  }
  partial[lane] = squares;
  workgroupBarrier();
  var total = vec2<f32>(0.0);
  for (var t = 0u; t < {{ threads }}u; t++) {
    total += partial[t];
  }
  let scale = inverseSqrt(total / f32(2u * dims.pairs) + bitcast<f32>(dims.eps));
  let slot = ((control[0] * dims.rate + group.x) % dims.slots) * dims.pairs;
  for (var p = lane; p < dims.pairs; p += {{ threads }}u) {
    keys[slot + p] = {{ c.pack(cache, "qkv[k + p] * scale.y * k_norm[p]") }};
    values[slot + p] = {{ c.pack(cache, "qkv[v + p]") }};
    qkv[q + p] *= scale.x * q_norm[p];
  }
}
