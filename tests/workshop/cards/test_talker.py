from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from facetalk.audio.phonemes import Phoneme
from facetalk.head.model import HeadModel
from facetalk.networks.styletalk import StyleTalkGenerator
from facetalk.talkers.styletalk import StyleTalk
from facetalk.workshop.cards import talker as card
from tests.conftest import make_toy_head
from tests.recipes.test_styletalk import tiny_config
from tests.recipes.toy import NUM_FEATURES, ToyEncoder, write_dataset


def test_the_figures_of_a_card_stand_beside_their_baselines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_dataset(tmp_path, (2.5, 2.5, 2.5, 2.5))
    text = (folder / "manifest.csv").read_text()
    for old, new in (("s0,", "ELO:T4,happy"), ("s1,", "ELO:T4,happy"), ("s2,", "other,sad"), ("s3,", "third,happy")):
        text = text.replace(f",{old},", f",{new},")
    (folder / "manifest.csv").write_text(text)
    monkeypatch.setattr(card, "find_phonemes", lambda waveform: [Phoneme("P", 0.5, 0.8)])
    torch.manual_seed(0)
    generator = StyleTalkGenerator(tiny_config().generator, NUM_FEATURES).eval()
    generator.neutral_style[-104:] = 0.1
    talker = StyleTalk(generator, ToyEncoder(), tiny_config().speaking)
    figures: dict[str, Any] = card.card_figures(folder, talker, HeadModel(make_toy_head()))
    main = figures["main"]
    assert list(main) == ["neutral style", "own style", "audio of another clip", "mean face"]
    assert main["mean face"]["lip_mm"] == pytest.approx(main["neutral style"]["still_lip_mm"], rel=1e-3)
    assert main["neutral style"]["mve_mm"] > 0 and main["neutral style"]["clips"] == 2
    assert "words" not in figures
    assert figures["style"] == {"retrieval": 1.0, "retrieval_by_chance": 1.0}
    assert set(figures["emotions"]) == {
        "emotion_real", "emotion_generated", "emotion_agreement", "emotion_by_chance",
    }  # fmt: skip
    assert figures["silence"]["drift_mm"] < 0.2
