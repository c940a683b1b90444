import pytest
import torch

from facetalk.networks.chunks import chunks
from facetalk.networks.laughtalk import CHUNK_FRAMES, OVERLAP_FRAMES, LaughTalkConfig, LaughTalkNetwork
from facetalk.networks.rollout import RolloutConfig
from facetalk.networks.wav2vec import Wav2VecConfig

TINY = LaughTalkConfig(
    verbal=Wav2VecConfig(
        width=8, num_layers=1, num_heads=2, inner=8, channels=(8, 8, 8), position_taps=4, position_groups=2
    ),
    nonverbal=Wav2VecConfig(
        width=8,
        num_layers=1,
        num_heads=2,
        inner=8,
        channels=(8, 8, 8),
        position_taps=4,
        position_groups=2,
        prosody=True,
    ),
    decoder=RolloutConfig(width=8, num_heads=2, inner=8),
)


@pytest.fixture(scope="module")
def network() -> LaughTalkNetwork:
    torch.manual_seed(0)
    network = LaughTalkNetwork(TINY, 3).eval().requires_grad_(False)
    for stage in (network.talk, network.laugh):
        stage.decoder.to_motion.weight.normal_(0, 0.5)
    network.mean.copy_(torch.tensor([0.1, 0.2, 0.3]))
    return network


def test_untrained_stages_add_nothing() -> None:
    network = LaughTalkNetwork(TINY, 3).eval()
    waveform = torch.randn(8000)
    assert (network.laughing(waveform) == 0).all()
    assert (network.talking(waveform) == network.mean).all()


def test_long_recordings_have_a_row_for_every_frame_and_no_seams(network: LaughTalkNetwork) -> None:
    generator = torch.Generator().manual_seed(0)
    waveform = torch.randn(16_000 * 14, generator=generator) * torch.rand(14, generator=generator).repeat_interleave(
        16_000
    )
    motion = network.talking(waveform)
    assert motion.shape == (420, 3)
    steps = motion.diff(dim=0).norm(dim=1)
    seams = [stop - OVERLAP_FRAMES for _, stop in list(chunks(420, CHUNK_FRAMES, OVERLAP_FRAMES))[:-1]]
    around = torch.cat([steps[seam - 2 : seam + OVERLAP_FRAMES] for seam in seams])
    assert around.max() <= steps.max()
    assert around.mean() < 1.5 * steps.mean()


def test_the_beginning_of_a_recording_does_not_need_its_end(network: LaughTalkNetwork) -> None:
    rows = network.talk.source.encode(torch.randn(16_000 * 14))
    blocks = list(network.talk.features([rows], len(rows)))
    assert [len(block) for block in blocks] == [150, 150, 120]
    longer = torch.cat([rows, torch.randn(200, rows.shape[1])])
    for block, same in zip(blocks[:2], network.talk.features([longer], len(longer)), strict=False):
        torch.testing.assert_close(block, same, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [1, 37, 400])
def test_a_roll_out_does_not_depend_on_its_pieces(network: LaughTalkNetwork, size: int) -> None:
    features = torch.randn(420, network.talk.decoder.read_memory.in_features)
    whole, _ = network.talk.roll_out(features)
    parts, state = [], None
    for piece in features.split(size):
        part, state = network.talk.roll_out(piece, state)
        parts.append(part)
        assert state.keys.shape[2] <= CHUNK_FRAMES
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=0)
