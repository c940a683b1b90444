import dataclasses

import torch

from facetalk.audio.augment import AugmentConfig, augment_mel, augment_waveform

OFF = AugmentConfig(
    equalize_share=0, narrow_share=0, reverb_share=0, noise_share=0, babble_share=0, level_db=0, throat=0, masks=0
)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def speechlike() -> torch.Tensor:
    return torch.randn(4, 8000, generator=torch.Generator().manual_seed(1)) * 0.1


def test_nothing_switched_on_changes_nothing() -> None:
    waveform, mel = speechlike(), torch.randn(2, 50, 80)
    torch.testing.assert_close(augment_waveform(waveform, OFF, generator()), waveform, atol=1e-5, rtol=0)
    torch.testing.assert_close(augment_mel(mel, OFF, generator()), mel)


def test_filters_and_rooms_keep_the_power() -> None:
    config = dataclasses.replace(OFF, equalize_share=1.0, narrow_share=1.0, reverb_share=1.0)
    waveform = speechlike()
    changed = augment_waveform(waveform, config, generator())
    assert (changed - waveform).abs().mean() > 0.01
    torch.testing.assert_close(changed.square().mean(1), waveform.square().mean(1))


def test_noise_is_as_strong_as_asked_for() -> None:
    config = dataclasses.replace(OFF, noise_share=1.0, noise_db=(10.0, 10.0))
    waveform = speechlike()
    noise = augment_waveform(waveform, config, generator()) - waveform
    torch.testing.assert_close(
        waveform.square().mean(1) / noise.square().mean(1), torch.full((4,), 10.0), rtol=0.01, atol=0
    )


def test_the_same_seed_gives_the_same_waveform() -> None:
    waveform = speechlike()
    first, second = (augment_waveform(waveform, AugmentConfig(), generator()) for _ in range(2))
    torch.testing.assert_close(first, second)


def test_blanks_cover_stretches_of_time_and_frequency() -> None:
    config = dataclasses.replace(OFF, masks=2)
    mel = torch.randn(8, 100, 80, generator=generator())
    blanked = (augment_mel(mel, config, generator()) != mel).float().mean((1, 2))
    assert blanked.max() < 0.6
    assert blanked.mean() > 0.05
