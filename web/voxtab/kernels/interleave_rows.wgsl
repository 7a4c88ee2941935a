// Rows of one matrix of a gated layer, two and two, to where they lie in the whole: row r of raw is row
// (first + r) / 2 x 4 + (first + r) % 2 + part of the weight; part: 0 for the gate, 2 for the other. See weights.wgsl.
// raw, weight: rows of row_words u32. grid: (ceil(row_words / 64), rows) workgroups of 64.
@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> weight: array<u32>;
struct Dims { row_words: u32, first: u32, part: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < dims.row_words) {
    let row = dims.first + id.y;
    let to = row / 2u * 4u + row % 2u + dims.part;
    weight[to * dims.row_words + id.x] = raw[id.y * dims.row_words + id.x];
  }
}
