"""Sizes of a transformer stack, as every model's configuration has them."""

from dataclasses import dataclass

from voxtab.models.gguf_fields import Fields


@dataclass(frozen=True)
class LayerSizes:
    """A stack of `n_layers` pre-norm blocks: attention interior n_heads x head_dim, SwiGLU width `hidden_dim`."""

    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    hidden_dim: int
    norm_eps: float

    @classmethod
    def read(cls, fields: Fields, name: str, usual: "LayerSizes", grouped: bool = True) -> "LayerSizes":
        """`<name>.dim` and the rest; `grouped`: whether absent n_kv_heads are the usual ones or as many as heads."""
        n_heads = fields.whole(f"{name}.n_heads", usual.n_heads, 1, 1024)
        n_kv_heads = fields.whole(f"{name}.n_kv_heads", usual.n_kv_heads if grouped else n_heads, 1, 1024)
        if n_heads % n_kv_heads:
            raise fields.refusal(f"{n_heads} heads can't share {n_kv_heads} key-value heads")
        return LayerSizes(
            dim=fields.whole(f"{name}.dim", usual.dim, 1, 1 << 16, 2),
            n_layers=fields.whole(f"{name}.n_layers", usual.n_layers, 1, 256),
            n_heads=n_heads,
            n_kv_heads=n_kv_heads,
            head_dim=fields.whole(f"{name}.head_dim", usual.head_dim, 1, 256, 2),
            hidden_dim=fields.whole(f"{name}.hidden_dim", usual.hidden_dim, 1, 1 << 18),
            norm_eps=fields.real(f"{name}.norm_eps", usual.norm_eps, 0.0, 1.0),
        )


@dataclass(frozen=True)
class StackConfig(LayerSizes):
    """A causal, rotary stack. `sliding_window` counts visible positions, the query's own included."""

    sliding_window: int
    rope_theta: float
