// out[i, h] = softmax(q[i, h] . keys / sqrt(hd) - slopes[h] distance) values, over positions max(0, p - window + 1) .. p,
// p = control x rate + i; slopes (ALiBi): f32[heads], only if HAS_SLOPES.
// q: rows of heads x hd and more; out: f32[n, heads x hd]; caches as rope_store or norm_store leave them. If `rotates`, n is 1, k
// and v follow q in its row, and what rope_store does for chunks is done here: one dispatch less.
// Query head h reads kv head h / group.
// Four queries share what is loaded of keys and values: `together` heads of a kv head (1, 2 or 4, a divisor of group) times
// 4 / together rows. grid: (heads / together, ceil(n together / 4), splits) workgroups of {{ threads }}: tiles of {{ threads * keys }} keys, a running
// maximum and sum (online softmax); a thread scores {{ keys }} key(s) of a tile and owns {{ pairs }} pair(s) of output lanes, so hd <= {{ 2 * threads * pairs }}.
// With splits, each takes a part of the context, n is 1, and out is what attention_merge.wgsl reads.
{% import "cache_pairs.wgsl" as c %}
@group(0) @binding(0) var<storage, read> q: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> keys: array<{{ c.pair_type(cache) }}>;
@group(0) @binding(2) var<storage, read_write> values: array<{{ c.pair_type(cache) }}>;
@group(0) @binding(3) var<storage, read_write> out: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> control: array<u32>;
struct Dims {
  heads: u32, group: u32, head_pairs: u32, slots: u32,
  window: u32, scale: u32, rate: u32, n: u32,
  together: u32, splits: u32, q_row_pairs: u32, rotates: u32,
  rope_slots: u32,
}
@group(0) @binding(5) var<uniform> dims: Dims;
@group(0) @binding(6) var<storage, read> slopes: array<f32>;
// (cos, sin)[rope_slots, hd / 2], slot = position % rope_slots.
@group(0) @binding(7) var<storage, read> rope: array<vec2<f32>>;
override HAS_SLOPES: u32 = 0u;

const THREADS = {{ threads }}u;
const TILE = {{ threads * keys }}u;
const LOWEST = -3.0e38;
// One dimension of the four queries each.
var<workgroup> query: array<vec4<f32>, {{ 2 * threads * pairs }}>;
var<workgroup> lanes: array<vec4<f32>, {{ threads }}>;
var<workgroup> weights: array<vec4<f32>, {{ threads * keys }}>;
// Where each key of the tile lies: the ring's modulo once a key, not once a key and lane.
var<workgroup> places: array<u32, {{ threads * keys }}>;

{% include "rotate.wgsl" %}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let pairs = dims.head_pairs;
  let which = vec4<u32>(0u, 1u, 2u, 3u);
  let head = vec4<u32>(group.x * dims.together) + which % dims.together;
  let row = vec4<u32>(group.y * (4u / dims.together)) + which / dims.together;
  let position = vec4<u32>(control[0] * dims.rate) + row;
  let first = select(vec4<u32>(0u), position + 1u - dims.window, position + 1u > vec4<u32>(dims.window));
  let at = (row * dims.heads + head) * pairs;
  let q_at = min(row, vec4<u32>(dims.n - 1u)) * dims.q_row_pairs + head * pairs;
  let kv_at = head.x / dims.group * pairs;
  let slot_pairs = dims.heads / dims.group * pairs;
  let angles = control[0] % max(dims.rope_slots, 1u) * pairs;
  for (var j = lane; j < pairs; j += THREADS) {
    var a = q[q_at.x + j]; var b = q[q_at.y + j]; var c = q[q_at.z + j]; var d = q[q_at.w + j];
    if (dims.rotates == 1u) {
      let angle = rope[angles + j];
      a = turn(a, angle); b = turn(b, angle); c = turn(c, angle); d = turn(d, angle);
    }
    query[2u * j] = vec4<f32>(a.x, b.x, c.x, d.x) * bitcast<f32>(dims.scale);
    query[2u * j + 1u] = vec4<f32>(a.y, b.y, c.y, d.y) * bitcast<f32>(dims.scale);
  }
  var slope = vec4<f32>(0.0);
  if (HAS_SLOPES == 1u) {
    slope = vec4<f32>(slopes[head.x], slopes[head.y], slopes[head.z], slopes[head.w]);
  }

  // This split's part of the context, in whole tiles.
  let end = min(position.w, control[0] * dims.rate + dims.n - 1u) + 1u;
  let part = ((end - first.x + TILE - 1u) / TILE + dims.splits - 1u) / dims.splits * TILE;
  let begin = first.x + group.z * part;
  if (dims.rotates == 1u && begin <= position.x && position.x < begin + part) {
    // The newest key and value, for the steps after this one and for this part. Workgroups that share the head write the same.
    let to = position.x % dims.slots * slot_pairs + kv_at;
    let k_at = dims.heads * pairs + kv_at;
    for (var j = lane; j < pairs; j += THREADS) {
      keys[to + j] = {{ c.pack(cache, "turn(q[k_at + j], rope[angles + j])") }};
      values[to + j] = {{ c.pack(cache, "q[k_at + slot_pairs + j]") }};
    }
  }
  storageBarrier();
  workgroupBarrier();

  var highest = vec4<f32>(LOWEST);
  var total = vec4<f32>(0.0);  // of the keys this thread scores
{% for p in range(pairs) %}
  let own{{ p }} = min(lane + {{ p * threads }}u, pairs - 1u);
  var even{{ p }} = vec4<f32>(0.0);
  var odd{{ p }} = vec4<f32>(0.0);
{% endfor %}
  for (var base = begin; base < min(begin + part, end); base += TILE) {
    let count = min(TILE, end - base);
{% for i in range(keys) %}
    // Threads without a key score the last one, and drop it.
    let key{{ i }} = base + min(lane + {{ i * threads }}u, count - 1u);
    let place{{ i }} = key{{ i }} % dims.slots * slot_pairs + kv_at;
    let seen{{ i }} = (vec4<u32>(key{{ i }}) >= first) & (vec4<u32>(key{{ i }}) <= position) & vec4<bool>(lane + {{ i * threads }}u < count);
    var score{{ i }} = vec4<f32>(0.0);
{% endfor %}
    for (var j = 0u; j < pairs; j++) {
      let a = query[2u * j];
      let b = query[2u * j + 1u];
{% for i in range(keys) %}
      let k{{ i }} = {{ c.unpack(cache, "keys[place%d + j]" % i) }};
      score{{ i }} += a * k{{ i }}.x + b * k{{ i }}.y;
{% endfor %}
    }
    var mine = vec4<f32>(LOWEST);
{% for i in range(keys) %}
    if (HAS_SLOPES == 1u) {
      score{{ i }} -= slope * vec4<f32>(vec4<i32>(position) - vec4<i32>(i32(key{{ i }})));
    }
    mine = max(mine, select(vec4<f32>(LOWEST), score{{ i }}, seen{{ i }}));
{% endfor %}
    lanes[lane] = mine;
    workgroupBarrier();
    var raised = highest;
    for (var t = 0u; t < THREADS; t++) {
      raised = max(raised, lanes[t]);
    }
    let shrink = exp(highest - raised);
    highest = raised;
    total *= shrink;
{% for i in range(keys) %}
    let weight{{ i }} = select(vec4<f32>(0.0), exp(score{{ i }} - raised), seen{{ i }});
    total += weight{{ i }};
    weights[lane + {{ i * threads }}u] = weight{{ i }};
    places[lane + {{ i * threads }}u] = place{{ i }};
{% endfor %}
    workgroupBarrier();
{% for p in range(pairs) %}
    even{{ p }} *= shrink;
    odd{{ p }} *= shrink;
{% endfor %}
    for (var t = 0u; t < count; t++) {
      let weight = weights[t];
      let place = places[t];
{% for p in range(pairs) %}
      let v{{ p }} = {{ c.unpack(cache, "values[place + own%d]" % p) }};
      even{{ p }} += weight * v{{ p }}.x;
      odd{{ p }} += weight * v{{ p }}.y;
{% endfor %}
    }
  }
  // Whoever still reads this array is past the barrier behind it.
  lanes[lane] = total;
  workgroupBarrier();
  total = vec4<f32>(0.0);
  for (var t = 0u; t < THREADS; t++) {
    total += lanes[t];
  }
{% for k in "xyzw" %}
  if (row.{{ k }} < dims.n) {
{% for p in range(pairs) %}
    if (lane + {{ p * threads }}u < pairs) {
      let sum = vec2<f32>(even{{ p }}.{{ k }}, odd{{ p }}.{{ k }});
      if (dims.splits == 1u) {
        out[at.{{ k }} + own{{ p }}] = sum / total.{{ k }};
      } else {
        out[(head.{{ k }} * dims.splits + group.z) * (pairs + 1u) + own{{ p }}] = sum;
      }
    }
{% endfor %}
    if (dims.splits > 1u && lane == 0u) {
      out[(head.{{ k }} * dims.splits + group.z) * (pairs + 1u) + pairs] = vec2<f32>(highest.{{ k }}, total.{{ k }});
    }
  }
{% endfor %}
}
