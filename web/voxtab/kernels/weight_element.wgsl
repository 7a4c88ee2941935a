// One weight of the matrix, for kernels that read single rows: quants and dims.blocks as in weights.wgsl.
{% import "weights.wgsl" as w %}
fn element(row: u32, c: u32) -> f32 {
  let block = c / {{ w.block_elements(weight) }}u;
{% if weight in ("q4_0", "q8_0") %}
  let quad = (row / 4u) * dims.blocks + block;
  let scale = unpack2x16float(scales[quad][(row & 3u) / 2u])[row & 1u];
  let at = quad * 4u + (row & 3u);
{% else %}
  let at = row * dims.blocks + block;
{% endif %}
{% if weight == "q4_0" %}
  let j = c % 32u;
  let word = quants[at][(j % 16u) / 4u] ^ 0x80000000u;
  let nibble = (word >> ((j % 4u) * 8u + select(0u, 4u, j >= 16u))) & 15u;
  return (f32(nibble) - 8.0) * scale;
{% elif weight == "q8_0" %}
  let j = c % 32u;
  let word = quants[at * 2u + j / 16u][(j % 16u) / 4u] ^ 0x80000000u;
  return (f32((word >> ((j % 4u) * 8u)) & 255u) - 128.0) * scale;
{% elif weight == "f16" %}
  let j = c % 8u;
  return unpack2x16float(quants[at][j / 2u])[j % 2u];
{% elif weight == "f32" %}
  return quants[at][c % 4u];
{% else %}
  return quants[at];
{% endif %}
}
