// What happens to a row's sum. dims.values: 0 nothing, 1 add row_values[row], 2 multiply by row_values[row]; then
// dims.epilogue: 0 store, 1 add to y, 2 GELU, 3 y = SiLU(y) times the sum, 4 SiLU(gate) times `up` from rows that take turns,
// GATED and GATED: first those of the gate, then their partners.
const GATED = {{ 4 if storage == "texture" else 2 }}u;

// The exact GELU needs erf, which WGSL lacks. W. J. Cody's rational form (1969) near 0, where the result is small; beyond,
// one minus the Chebyshev fit of erfc in Numerical Recipes (6.2), 1.2e-7 relative.
fn erf(v: f32) -> f32 {
  let a = abs(v);
  if (a < 0.5) {
    let s = v * v;
    return v * (3.20937758913846947e3 + s * (3.77485237685302021e2 + s * (1.13864154151050156e2 + s * (3.16112374387056560e0 + s * 1.85777706184603153e-1))))
      / (2.84423683343917062e3 + s * (1.28261652607737228e3 + s * (2.44024637934444173e2 + s * (2.36012909523441209e1 + s))));
  }
  let t = 1.0 / (1.0 + 0.5 * a);
  let tail = t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
  return select(tail - 1.0, 1.0 - tail, v > 0.0);
}

// `row` of the whole matrix; `y_row`: where its row of y starts; `up`: the sum of row + GATED, for epilogue 4.
fn finish(row: u32, y_row: u32, sum: f32, up: f32) {
  if (dims.epilogue == 4u) {
    if ((row & GATED) == 0u) {
      y[y_row + row / (2u * GATED) * GATED + row % GATED] = sum / (1.0 + exp(-sum)) * up;
    }
    return;
  }
  let at = y_row + row;
  var value = sum;
  if (dims.values == 1u) {
    value += row_values[row];
  } else if (dims.values == 2u) {
    value *= row_values[row];
  }
  if (dims.epilogue == 1u) {
    value += y[at];
  } else if (dims.epilogue == 2u) {
    value = 0.5 * value * (1.0 + erf(value * 0.70710678118654752));
  } else if (dims.epilogue == 3u) {
    let gate = y[at];
    value = gate / (1.0 + exp(-gate)) * value;
  }
  y[at] = value;
}
