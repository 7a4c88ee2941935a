// mel[row + f, m] = (max(log10(max(gain^2 sum_k |X[f, k]|^2 filter[k, m], 1e-10)), top - 8) + 4) / 4
// spectrum: f32[frames, 2 bins], real parts then imaginary ones; filters: f32[bins, bands]; spans: per band its first bin
// and the one after its last (low and high half); mel: f32[.., bands]. grid: (ceil(bands / 64), frames) workgroups of 64.
@group(0) @binding(0) var<storage, read> spectrum: array<f32>;
@group(0) @binding(1) var<storage, read> filters: array<f32>;
@group(0) @binding(2) var<storage, read> spans: array<u32>;
@group(0) @binding(3) var<storage, read_write> mel: array<f32>;
struct Dims { bins: u32, bands: u32, row: u32, top: u32, gain: u32 }
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= dims.bands) {
    return;
  }
  let span = spans[id.x];
  let end = span >> 16u;
  let frame = id.y * 2u * dims.bins;
  let gain = bitcast<f32>(dims.gain);
  var sum = 0.0;
  for (var k = span & 0xFFFFu; k < end; k++) {
    let x = gain * vec2<f32>(spectrum[frame + k], spectrum[frame + dims.bins + k]);
    sum += dot(x, x) * filters[k * dims.bands + id.x];
  }
  let level = log2(max(sum, 1.0e-10)) * 0.30102999566398120;
  mel[(dims.row + id.y) * dims.bands + id.x] = (max(level, bitcast<f32>(dims.top) - 8.0) + 4.0) * 0.25;
}
