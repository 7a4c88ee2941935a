// rows and blocks of this piece of the matrix; its first row in the whole; offsets and strides in floats; n columns of x;
// epilogue and values: see epilogue.wgsl; normed, eps (its bits) and gain_offset: see norm_input.wgsl, only for one row of x.
// Not constants of the pipeline: compiling takes far longer than the branch.
struct LinearDims {
  rows: u32, blocks: u32, row_begin: u32, n: u32,
  x_offset: u32, x_stride: u32, y_offset: u32, y_stride: u32,
  epilogue: u32, values: u32, normed: u32, eps: u32,
  gain_offset: u32,
}
@group(0) @binding(5) var<uniform> dims: LinearDims;
