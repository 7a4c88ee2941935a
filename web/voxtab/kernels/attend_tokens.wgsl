// out[t, b] = softmax(q[t, b] . k[u, b] / sqrt(hd) over u) v[u, b]: three tokens that all see each other, in one or two branches b.
// qkv: rows of q, k and v end to end, heads x hd and twice heads / group x hd; token t of branch b is row places[t x branches + b]
// of them, and row t x branches + b of out: f32[n, heads x hd]. Only the first `queries` tokens ask. grid: (heads, branches) workgroups of 32.
@group(0) @binding(0) var<storage, read> qkv: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec2<f32>>;
struct Dims { heads: u32, group: u32, head_pairs: u32, scale: u32, branches: u32, queries: u32, places: array<vec4<u32>, 2> }
@group(0) @binding(2) var<uniform> dims: Dims;

var<workgroup> scores: array<f32, 9>;

fn place(token: u32, branch: u32) -> u32 {
  let at = token * dims.branches + branch;
  return dims.places[at / 4u][at % 4u];
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let pairs = dims.head_pairs;
  let branch = group.y;
  let q_row = dims.heads * pairs;
  let kv_row = q_row / dims.group;
  let row = q_row + 2u * kv_row;
  let q_at = group.x * pairs;
  let k_at = q_row + (group.x / dims.group) * pairs;
  let v_at = k_at + kv_row;
  if (lane < 3u * dims.queries) {
    let query = place(lane / 3u, branch) * row + q_at;
    let key = place(lane % 3u, branch) * row + k_at;
    var score = 0.0;
    for (var j = 0u; j < pairs; j++) {
      score += dot(qkv[query + j], qkv[key + j]);
    }
    scores[lane] = score * bitcast<f32>(dims.scale);
  }
  workgroupBarrier();
  for (var t = 0u; t < dims.queries; t++) {
    let score = vec3<f32>(scores[3u * t], scores[3u * t + 1u], scores[3u * t + 2u]);
    let raised = exp(score - max(score.x, max(score.y, score.z)));
    let weight = raised / (raised.x + raised.y + raised.z);
    let to = (t * dims.branches + branch) * q_row + q_at;
    for (var j = lane; j < pairs; j += 32u) {
      var sum = weight.x * qkv[place(0u, branch) * row + v_at + j];
      sum += weight.y * qkv[place(1u, branch) * row + v_at + j];
      sum += weight.z * qkv[place(2u, branch) * row + v_at + j];
      out[to + j] = sum;
    }
  }
}
