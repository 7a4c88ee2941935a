"""The demo's training code computes the published model: golden checkpoints give the golden numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from shard_tools.demo.features import LogMel
from shard_tools.demo.greedy import greedy_tokens
from shard_tools.demo.network import VoxtralRealtime, checkpoint_names
from shard_tools.sizes import ModelSizes

DATA = Path(__file__).parent.parent / "data"


def golden_network(folder: Path) -> VoxtralRealtime:
    torch.set_num_threads(1)
    net = VoxtralRealtime(ModelSizes.from_params(json.loads((folder / "params.json").read_text())))
    published = load_file(folder / "consolidated.safetensors")
    names = checkpoint_names(net.sizes)
    assert set(names.values()) == set(published)
    net.load_state_dict({own: published[name].float() for own, name in names.items()})
    return net.eval()


@pytest.mark.parametrize("name", ["asr-tiny", "asr-window"])
def test_the_network_computes_what_transformers_computes(name: str) -> None:
    net = golden_network(DATA / name)
    expected = np.load(DATA / name / "expected.npz")
    prompt = len(expected["prompt_ids"])
    tokens = np.concatenate((expected["prompt_ids"], expected["f32/tokens_full"][:-1]))
    with torch.inference_mode():
        mel = LogMel()(torch.from_numpy(expected["padded_audio"])[None])
        encoded, adapted = net.listen(mel)
        logits = net.write(adapted, torch.from_numpy(tokens)[None].long(), torch.tensor([6]))
    # The bars of the engine's own parity tests.
    np.testing.assert_allclose(mel[0], expected["mel"], atol=2e-4)
    np.testing.assert_allclose(encoded[0], expected["f32/enc_out"], atol=2e-4)
    np.testing.assert_allclose(adapted[0], expected["f32/adapter_out"], atol=4e-4)
    np.testing.assert_allclose(logits[0, prompt - 1 :], expected["f32/logits"], atol=5e-4)


@pytest.mark.parametrize("name", ["asr-tiny", "asr-window"])
def test_guessing_all_tokens_at_once_ends_at_the_greedy_ones(name: str) -> None:
    net = golden_network(DATA / name)
    expected = np.load(DATA / name / "expected.npz")
    mel = torch.from_numpy(expected["mel"])[None]
    written = greedy_tokens(net, mel, torch.tensor([32]), torch.tensor([6]))[0].numpy()
    assert written[len(expected["prompt_ids"]) - 1 :].tolist() == expected["f32/tokens_full"].tolist()
