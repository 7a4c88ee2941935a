// Words {{ "-> floats of texels, side by side" if way == "in" else "<- floats of texels, sampled" }}, bit by bit.
// grid: (texels) workgroups of 1
{% if way == "in" %}
@group(0) @binding(0) var<storage, read> words: array<vec4<u32>>;
@group(0) @binding(1) var texels: texture_storage_2d<rgba32float, write>;
{% else %}
@group(0) @binding(0) var<storage, read_write> words: array<vec4<u32>>;
@group(0) @binding(1) var texels: texture_2d<f32>;
@group(0) @binding(2) var nearest: sampler;
{% endif %}

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
{% if way == "in" %}
  textureStore(texels, vec2<u32>(id.x, 0u), bitcast<vec4<f32>>(words[id.x]));
{% else %}
  let at = vec2<f32>((f32(id.x) + 0.5) / f32(textureDimensions(texels).x), 0.5);
  words[id.x] = bitcast<vec4<u32>>(textureSampleLevel(texels, nearest, at, 0.0));
{% endif %}
}
