{# RMS norm on the way in, for a kernel that multiplies one row of x: W (g x) / sqrt(mean(x^2) + eps). The squares are gathered as
   x is read, so that the norm takes no pass and no dispatch of its own; the sum is divided at the end. -#}
{% import "weights.wgsl" as w %}
{% macro binding(weight) %}
@group(0) @binding(6) var<storage, read> gain: array<{{ w.value_type(weight) }}>;
{% endmacro %}
{# Takes the values `names` of block b, loaded from x: adds to `squares`, multiplies by the gain. #}
{% macro gather(weight, names) %}
    if (dims.normed == 1u) {
      let g = dims.gain_offset / {{ "1" if weight == "f32_scalar" else "4" }}u + b * {{ names | length }}u;
{% for name in names %}
      squares += {{ "%s * %s" % (name, name) if weight == "f32_scalar" else "dot(%s, %s)" % (name, name) }}; {{ name }} *= gain[g + {{ loop.index0 }}u];
{% endfor %}
    }
{% endmacro %}
{# What the sums are multiplied with, of all squares. #}
{% macro factor(weight, squares) %}select(1.0, inverseSqrt({{ squares }} / f32(dims.blocks * {{ w.block_elements(weight) }}u) + bitcast<f32>(dims.eps)), dims.normed == 1u){% endmacro %}
