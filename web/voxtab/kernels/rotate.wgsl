// Rotary positions: interleaved pairs (2j, 2j + 1) of a head, (a, b) -> (a cos - b sin, b cos + a sin), cos and sin of the row's
// position from a table made on the host in float64.
fn turn(pair: vec2<f32>, angle: vec2<f32>) -> vec2<f32> {
  return vec2<f32>(pair.x * angle.x - pair.y * angle.y, pair.y * angle.x + pair.x * angle.y);
}
