// Rotates q in place and k on its way into the cache; stores v. A row alone is left to attention.wgsl.
// qkv: f32[n, (heads + 2 kv_heads) x hd], queries, keys and values end to end; caches: [slots, kv_heads x hd / 2] pairs, slot = position % slots;
// rope: (cos, sin)[rope_slots, hd / 2], slot = position % rope_slots.
// grid: (ceil(heads x hd / 2 / 64), n) workgroups of 64, one thread a pair.
{% import "cache_pairs.wgsl" as c %}
@group(0) @binding(0) var<storage, read_write> qkv: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> keys: array<{{ c.pair_type(cache) }}>;
@group(0) @binding(2) var<storage, read_write> values: array<{{ c.pair_type(cache) }}>;
@group(0) @binding(3) var<storage, read> rope: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> control: array<u32>;
struct Dims { q_pairs: u32, kv_pairs: u32, head_pairs: u32, slots: u32, rope_slots: u32 }
@group(0) @binding(5) var<uniform> dims: Dims;

{% include "rotate.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let p = id.x;
  let position = control[0] + id.y;
  if (p < dims.q_pairs) {
    let angle = rope[(position % dims.rope_slots) * dims.head_pairs + p % dims.head_pairs];
    let at = id.y * (dims.q_pairs + 2u * dims.kv_pairs) + p;
    qkv[at] = turn(qkv[at], angle);
    if (p < dims.kv_pairs) {
      let key = at + dims.q_pairs;
      let to = (position % dims.slots) * dims.kv_pairs + p;
      keys[to] = {{ c.pack(cache, "turn(qkv[key], angle)") }};
      values[to] = {{ c.pack(cache, "qkv[key + dims.kv_pairs]") }};
    }
  }
}
