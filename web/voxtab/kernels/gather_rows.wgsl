// y[r] = x[places[r]] for up to 8 rows of `width` floats. grid: (ceil(width / 64), rows) workgroups of 64.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
struct Dims { width: vec4<u32>, places: array<vec4<u32>, 2> }
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let width = dims.width.x;
  if (id.x < width) {
    let place = dims.places[id.y / 4u][id.y % 4u];
    y[id.y * width + id.x] = x[place * width + id.x];
  }
}
