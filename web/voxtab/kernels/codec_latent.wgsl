// Codes -> what the codec's first convolution reads: latent[r] = (embedding_sum[c] / max(cluster_usage[c], 1e-5),
// 2 a_1 / (levels - 1) - 1, ...) of the frame at max(0, position - 2 + r), for r < n + 2. The two rows of left context are
// made again from their codes, and the first frame's are copies of it.
// codes: u32[slots, 1 + acoustic], each 2 more than c and a; embedding_sum: f32[codebook, semantic].
// grid: (ceil((semantic + acoustic) / 64), n + 2) workgroups of 64.
@group(0) @binding(0) var<storage, read> codes: array<u32>;
@group(0) @binding(1) var<storage, read> embedding_sum: array<f32>;
@group(0) @binding(2) var<storage, read> cluster_usage: array<f32>;
@group(0) @binding(3) var<storage, read_write> latent: array<f32>;
@group(0) @binding(4) var<storage, read> control: array<u32>;
struct Dims { semantic: u32, acoustic: u32, codebook: u32, levels: u32, slots: u32 }
@group(0) @binding(5) var<uniform> dims: Dims;

// The special codes 0 and 1 make no sound; whoever queued frames beyond the end drops what they give.
fn index_of(code: u32, count: u32) -> u32 {
  return clamp(code, 2u, count + 1u) - 2u;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let width = dims.semantic + dims.acoustic;
  if (id.x < width) {
    let frame = max(control[0] + id.y, 2u) - 2u;
    let at = (frame % dims.slots) * (1u + dims.acoustic);
    var value: f32;
    if (id.x < dims.semantic) {
      let entry = index_of(codes[at], dims.codebook);
      value = embedding_sum[entry * dims.semantic + id.x] / max(cluster_usage[entry], 1e-5);
    } else {
      let level = index_of(codes[at + 1u + id.x - dims.semantic], dims.levels);
      value = f32(2u * level) / f32(dims.levels - 1u) - 1.0;
    }
    latent[id.y * width + id.x] = value;
  }
}
