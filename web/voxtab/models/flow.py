"""The acoustic head: a frame's 37 codes from the backbone's hidden state, 36 of them by flow matching.

    semantic code = argmax of a linear layer, over END and the codebook
    x = noise;  for t = 0, 1/n .. (n-1)/n:  x += (alpha v(x, t, h) + (1 - alpha) v(x, t, 0)) / n;  codes = levels of x

v is a transformer over three tokens (x, t and h, each projected) that all see each other and have no positions; its value
is read off the first one. Both branches of guidance run as one batch, token by token: rows (x, x, t, t, h, 0).

Hoisted: the tokens of t, forever; that of h, once a frame; that of no h, which is zero. So are their queries, keys and
values in the first layer, where the branches share x's. The last layer asks and feeds forward for the first token only.
"""

from array import array
from dataclasses import dataclass

from voxtab.models.tts_config import TtsConfig
from voxtab.models.tts_state import FLOW_HIDDEN, FLOW_NOTHING, FLOW_TIMES, FLOW_X, FRAME_SLOTS, TtsState
from voxtab.nn.block import TransformerBlock
from voxtab.nn.recorder import Epilogue
from voxtab.nn.speech_recorder import SpeechRecorder
from voxtab.nn.time_embedding import time_embedding
from voxtab.nn.weights import Linear, Norm, Tensor


@dataclass(frozen=True)
class AcousticHead:
    """Projections of the three tokens, the transformer stack, and the two heads."""

    input_projection: Linear
    time_projection: Linear
    llm_projection: Linear
    blocks: tuple[TransformerBlock, ...]
    norm: Norm
    semantic_output: Linear
    acoustic_output: Linear

    def record_times(self, record: SpeechRecorder, state: TtsState) -> None:
        """The tokens of all times, from `state.times`: constant for a session, as the number of steps is."""
        tokens = _row(state.flow_tokens, FLOW_TIMES)
        record.linear(self.time_projection, state.times, tokens, state.steps)
        self._project(record, state, FLOW_TIMES, state.steps)

    def record_codes(
        self, record: SpeechRecorder, config: TtsConfig, state: TtsState, hidden: Tensor
    ) -> None:
        """hidden, normed -> this frame's codes in their ring."""
        record.linear(self.semantic_output, hidden, state.logits, 1)
        record.linear(self.llm_projection, hidden, _row(state.flow_tokens, FLOW_HIDDEN), 1)
        self._project(record, state, FLOW_HIDDEN, 1)
        record.load_frame_row(state.noise, FRAME_SLOTS, state.path)
        for step in range(state.steps):
            velocity = self._record_velocity(record, config, state, step)
            record.euler_step(velocity, state.path, step, state.steps, state.branches, state.alpha)
        x = _row(state.path, state.steps)
        end = config.semantic_end
        record.choose_codes(state.logits, end, x, config.levels, state.codes, FRAME_SLOTS)

    def _record_velocity(
        self, record: SpeechRecorder, config: TtsConfig, state: TtsState, step: int
    ) -> Tensor:
        """Both branches at the point of the path that `step` has reached."""
        branches, dim = state.branches, config.acoustic.dim
        record.linear(self.input_projection, _row(state.path, step), _row(state.flow_tokens, FLOW_X), 1)
        self._project(record, state, FLOW_X, 1)
        conditions = (FLOW_HIDDEN, FLOW_NOTHING)[:branches]
        places = [*[FLOW_X] * branches, *[FLOW_TIMES + step] * branches, *conditions]
        x = record.gather_rows(state.flow_tokens, places, record.scratch("flow", dim))
        self._keep(record, state, step, "flow tokens", x)
        qkv = state.flow_qkv
        for number, block in enumerate(self.blocks):
            asking = 1 if block is self.blocks[-1] else 3
            if number > 0:
                qkv = block.project(record, x, 3 * branches, asking * branches)
                places = list(range(3 * branches))
            attended = record.scratch("attended", block.attention_width)
            record.attend_tokens(qkv, places, branches, asking, config.acoustic.head_dim, attended)
            record.linear(block.wo, attended, x, asking * branches, Epilogue.ADD)
            block.feed_forward(record, x, asking * branches)
            self._keep(record, state, step, f"flow layer {number}", x)
        h = record.normed(x, self.norm, branches)
        velocity = Tensor(state.velocity.buffer, state.velocity.width, row=step * branches)
        record.linear(self.acoustic_output, h, velocity, branches)
        return state.velocity

    def _project(self, record: SpeechRecorder, state: TtsState, row: int, n: int) -> None:
        """Queries, keys and values of n tokens in the first layer."""
        tokens, out = _row(state.flow_tokens, row), _row(state.flow_qkv, row)
        self.blocks[0].project_into(record, tokens, n, out)

    def _keep(self, record: SpeechRecorder, state: TtsState, step: int, name: str, x: Tensor) -> None:
        """What a trace wants of the first evaluation."""
        if state.trace and step == 0:
            rows = 3 * state.branches
            record.copy_rows(x, state.keep(name, x.width, rows), rows)


def times(dim: int, steps: int) -> "array[float]":
    """f32[steps, dim]: the embeddings of t = i / steps; 1 is never evaluated."""
    return array("f", [value for i in range(steps) for value in time_embedding(dim, i / steps)])


def _row(tensor: Tensor, row: int) -> Tensor:
    return Tensor(tensor.buffer, tensor.width, row)
