// out[i, h] = softmax(q[i, h] . keys / sqrt(hd) - slopes[h] distance) values, over positions max(0, p - window + 1) .. p,
// p = control x rate + i; slopes (ALiBi): f32[heads], only if HAS_SLOPES.
// q, out: f32[n, heads x hd]; caches as rope_store or norm_store leave them. Query head h reads kv head h / group.
// grid: (heads, n) workgroups of {{ threads }}: tiles of {{ threads }} keys, a running maximum and sum (online softmax), each thread owning
// {{ 2 if threads == 64 else 1 }} pair(s) of output lanes: head dimensions up to {{ 256 if threads == 64 else 2 * threads }}. Bytes read: the window's keys and values once per query head.
{% import "cache_pairs.wgsl" as c %}
@group(0) @binding(0) var<storage, read> q: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<{{ c.pair_type(cache) }}>;
@group(0) @binding(2) var<storage, read> values: array<{{ c.pair_type(cache) }}>;
@group(0) @binding(3) var<storage, read_write> out: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> control: array<u32>;
struct Dims { heads: u32, group: u32, head_pairs: u32, slots: u32, window: u32, scale: u32, rate: u32 }
@group(0) @binding(5) var<uniform> dims: Dims;
@group(0) @binding(6) var<storage, read> slopes: array<f32>;
override HAS_SLOPES: u32 = 0u;

const TILE = {{ threads }}u;
var<workgroup> query: array<vec2<f32>, {{ 128 if threads == 64 else threads }}>;
var<workgroup> scores: array<f32, {{ threads }}>;
var<workgroup> weights: array<f32, {{ threads }}>;
// Where each key of the tile lies: the ring's modulo once a key, not once a key and lane.
var<workgroup> places: array<u32, {{ threads }}>;

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let pairs = dims.head_pairs;
  let position = control[0] * dims.rate + group.y;
  let first = select(0u, position + 1u - dims.window, position + 1u > dims.window);
  let q_at = (group.y * dims.heads + group.x) * pairs;
  let kv_at = (group.x / dims.group) * pairs;
  let row = dims.heads / dims.group * pairs;
  for (var j = lane; j < pairs; j += TILE) {
    query[j] = q[q_at + j] * bitcast<f32>(dims.scale);
  }
  workgroupBarrier();
  var highest = -3.0e38;
  var total = 0.0;
  var sum0 = vec2<f32>(0.0);
{% if threads == 64 %}
  var sum1 = vec2<f32>(0.0);
{% endif %}
  for (var base = first; base <= position; base += TILE) {
    let count = min(TILE, position + 1u - base);
    var score = -3.0e38;
    if (lane < count) {
      let at = ((base + lane) % dims.slots) * row + kv_at;
      places[lane] = at;
      score = 0.0;
      for (var j = 0u; j < pairs; j++) {
        score += dot(query[j], {{ c.unpack(cache, "keys[at + j]") }});
      }
      if (HAS_SLOPES == 1u) {
        score -= slopes[group.x] * f32(position - base - lane);
      }
    }
    scores[lane] = score;
    workgroupBarrier();
    var tile_highest = highest;
    for (var t = 0u; t < count; t++) {
      tile_highest = max(tile_highest, scores[t]);
    }
    weights[lane] = select(0.0, exp(score - tile_highest), lane < count);
    workgroupBarrier();
    let shrink = exp(highest - tile_highest);
    highest = tile_highest;
    total *= shrink;
    sum0 *= shrink;
    let own = min(lane, pairs - 1u);
{% if threads == 64 %}
    sum1 *= shrink;
    let other = min(lane + 64u, pairs - 1u);
{% endif %}
    for (var t = 0u; t < count; t++) {
      let weight = weights[t];
      let at = places[t];
      total += weight;
      sum0 += weight * {{ c.unpack(cache, "values[at + own]") }};
{% if threads == 64 %}
      if (pairs > 64u) {
        sum1 += weight * {{ c.unpack(cache, "values[at + other]") }};
      }
{% endif %}
    }
    // The next tile overwrites what this one still reads.
    workgroupBarrier();
  }
  if (lane < pairs) {
    out[q_at + lane] = sum0 / total;
  }
{% if threads == 64 %}
  if (lane + 64u < pairs) {
    out[q_at + lane + 64u] = sum1 / total;
  }
{% endif %}
}
