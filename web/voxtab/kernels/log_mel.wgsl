// mel[row + f, m] = (max(log10(max(power[f] . filter[m], 1e-10)), top - 8) + 4) / 4
// power: f32[frames, bins]; filters: f32[bins, bands]; mel: f32[.., bands]. grid: (ceil(bands / 64), frames) workgroups of 64.
@group(0) @binding(0) var<storage, read> power: array<f32>;
@group(0) @binding(1) var<storage, read> filters: array<f32>;
@group(0) @binding(2) var<storage, read_write> mel: array<f32>;
struct Dims { bins: u32, bands: u32, row: u32, top: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= dims.bands) {
    return;
  }
  var sum = 0.0;
  for (var k = 0u; k < dims.bins; k++) {
    sum += power[id.y * dims.bins + k] * filters[k * dims.bands + id.x];
  }
  let level = log2(max(sum, 1.0e-10)) * 0.30102999566398120;
  mel[(dims.row + id.y) * dims.bands + id.x] = (max(level, bitcast<f32>(dims.top) - 8.0) + 4.0) * 0.25;
}
