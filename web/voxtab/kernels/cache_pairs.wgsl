{# Keys and values are cached as pairs of neighbours: f16 packed in a u32, or vec2<f32>. #}
{% macro pair_type(cache) %}{{ "u32" if cache == "f16" else "vec2<f32>" }}{% endmacro %}
{% macro pack(cache, v) %}{{ "pack2x16float(%s)" % v if cache == "f16" else v }}{% endmacro %}
{% macro unpack(cache, v) %}{{ "unpack2x16float(%s)" % v if cache == "f16" else v }}{% endmacro %}
