"""`python -m facetalk.workshop.cards.emotalk CLIPS SPEECH [TALKER]`: the figures in EmoTalk's card, as JSON.

CLIPS is a dataset folder that `facetalk fit` wrote, SPEECH a speech folder with recordings of acted emotions; where it
has features of Whisper (`facetalk.workshop.speech.teachers`), their linear probe stands beside. Used are the clips and
recordings of the speakers that the configuration `emotalk` keeps for validation; probes and classifiers are fitted on
those of the others.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.visemes import BILABIAL
from facetalk.core.emotions import EMOTIONS, EmotionTrack
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS
from facetalk.data.emotional import felt
from facetalk.data.speech import read_teacher, teacher_path
from facetalk.head.channels import ARKIT_NAMES, BLINK_NAMES, GAZE_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.audio import read_waveform
from facetalk.losses.geometry import LipGeometry
from facetalk.metrics.closures import CLOSED
from facetalk.metrics.correlation import correlation
from facetalk.metrics.vertices import largest_error_mm, mean_error_mm
from facetalk.motion.heads import load_head
from facetalk.networks.wav2vec import NUM_PROSODY
from facetalk.recipes.emotalk import RECIPE, EmoTalkTask, make_task
from facetalk.recipes.evaluation.emotalk import evaluate_emotalk, voiced
from facetalk.recipes.parts.emotional_data import EmotionalExample
from facetalk.recipes.parts.linear_classifier import LinearClassifier
from facetalk.recipes.registry import read_training_config
from facetalk.talkers.base import Direction
from facetalk.talkers.emotalk import EmoTalk
from facetalk.talkers.emotion import speak_with_emotion
from facetalk.talkers.registry import load_talker, talker_folder
from facetalk.talkers.voice_emotion import emotion_of_voice, listener
from facetalk.workshop.cards.laughtalk import vertices_of

WINDOW_FRAMES = 60
"""Of the motion that a classifier of faces sees."""

LEAST_SEEN = 0.1
"""Spread of channels below which a classifier of faces hardly uses them: the tracker does not see cheeks and noses."""
LEVELS = (1.0, 2.0, 3.0)
OTHER_TALKERS = ("styletalk", "laughtalk")
SEEN_LEVEL = 0.3
"""Of an emotion, from which on it is seen."""
NUM_RECORDINGS = 24
"""Recordings of unseen actors that are animated in every emotion."""

_SHOWING = [i for i, name in enumerate(ARKIT_NAMES) if name not in (*BLINK_NAMES, *GAZE_NAMES)]


def card_figures(task: EmoTalkTask, talker: EmoTalk, head: HeadModel) -> dict[str, Any]:
    """All figures, in the order of the card."""
    clips = [example for example in task.validation if not example.is_paired]
    acted = [example for example in task.validation if example.is_paired]
    known = [example for example in task.sampler.spoken if example.is_paired]
    lips = LipGeometry(head.assets)
    return {
        "mouths": evaluate_emotalk(talker.network, lips, task.validation, task.sampler),
        "vertices": vertex_errors(task, talker, head, clips),
        "voice": voice_figures(task, talker, known, acted),
        "auto": auto_figures(talker, clips, acted),
        "phonemes": phoneme_figures(talker, known, acted),
        "swapped": swapped_figures(talker, lips, acted),
        "real_faces": real_face_figures(task.sampler.tracked),
        "shown": {
            name: shown_figures(one, face_probe(task.sampler.tracked), acted, lips)
            for name, one in {"emotalk": talker, **{name: load_talker(name) for name in OTHER_TALKERS}}.items()
        },
    }


def vertex_errors(
    task: EmoTalkTask, talker: EmoTalk, head: HeadModel, clips: Sequence[EmotionalExample]
) -> dict[str, float]:
    """LVE, EVE and MVE on tracked clips with the emotion of the voice, and those of the mean face, millimeters."""
    figures: dict[str, list[float]] = defaultdict(list)
    for clip in clips:
        made = voiced(talker.network, clip.rows, task.sampler.person_row("")).expression.clamp(0, 1)
        size = min(len(made), len(clip.expression))
        true = vertices_of(head, clip.expression[:size])
        for name, rows in (("", made[:size]), ("mean_face_", talker.network.mean.expand(size, -1))):
            vertices = vertices_of(head, rows)
            for metric, region in (("lve", "lips"), ("eve", "upper_face")):
                error = largest_error_mm(vertices, true, head.points.regions[region]).mean()
                figures[f"{name}{metric}_mm"].append(float(error))
            figures[f"{name}mve_mm"].append(float(mean_error_mm(vertices, true).mean()))
    return _means(figures)


def voice_figures(
    task: EmoTalkTask, talker: EmoTalk, known: Sequence[EmotionalExample], acted: Sequence[EmotionalExample]
) -> dict[str, Any]:
    """Emotion of unseen actors by corpus: the encoder's head among the corpus's own classes, and linear probes."""
    figures: dict[str, Any] = {}
    for corpus in sorted({_corpus(example) for example in acted}):
        train, judged = ([e for e in group if _corpus(e) == corpus] for group in (known, acted))
        classes = sorted({_sound(e) for e in (*train, *judged)})
        index = {name: position for position, name in enumerate(classes)}
        columns = [task.sampler.sounds[name] for name in classes]
        answers = []
        for example in judged:
            logits = talker.network.classify(talker.network.listen(example.rows[None]).emotion).sounds[0, columns]
            answers.append(float(classes[int(logits.argmax())] == _sound(example)))
        found: dict[str, float] = {"head": sum(answers) / len(answers), "chance": 1 / len(classes)}
        features: dict[str, Callable[[EmotionalExample], Tensor]] = {
            "emotion_states": lambda e: talker.network.feel(e.rows[None])[0],
            "content_feature": lambda e: talker.network.listen(e.rows[None]).content[0],
            "front_end": lambda e: e.rows[:, :-NUM_PROSODY],
            "prosody": lambda e: e.rows[:, -NUM_PROSODY:],
        }
        if all(teacher_path(e.clip, "whisper").is_file() for e in (*train, *judged)):
            features["whisper"] = lambda e: read_teacher(teacher_path(e.clip, "whisper")).float()
        for name, rows_of in features.items():
            (fitted, given), (rows, true) = (
                (torch.stack([_pooled(rows_of(e)) for e in group]), torch.tensor([index[_sound(e)] for e in group]))
                for group in (train, judged)
            )
            found[f"probe_{name}"] = LinearClassifier.fitted(fitted, given, len(classes)).accuracy(rows, true)
        figures[corpus] = found
    return figures


def auto_figures(
    talker: EmoTalk, clips: Sequence[EmotionalExample], acted: Sequence[EmotionalExample]
) -> dict[str, float]:
    """Share of the time in which `--emotion auto` shows some emotion, and its mean level then, by kind of speech.

    `ordinary` are tracked clips without a named emotion, `calm` acted neutral, calm and bored voices, `emotional` the
    other acted ones; `right` is the share of these whose own emotion has the highest mean level.
    """
    figures: dict[str, list[float]] = defaultdict(list)
    for example in (*clips, *acted):
        known = felt(example.clip.label)
        kind = "ordinary" if known is None else "emotional" if known.level else "calm"
        heard = talker.hear_emotion(read_waveform(example.clip.audio_path))
        levels = emotion_of_voice(heard).frames(len(heard))
        total = levels.sum(1)
        figures[f"{kind}_shown"].append(float((total > SEEN_LEVEL).float().mean()))
        figures[f"{kind}_level"].append(float(total.mean()))
        if known is not None and known.level:
            figures["right"].append(float(EMOTIONS[int(levels.mean(0).argmax())] == known.emotion))
    return _means(figures)


def phoneme_figures(
    talker: EmoTalk, known: Sequence[EmotionalExample], acted: Sequence[EmotionalExample]
) -> dict[str, float]:
    """Phoneme of each frame by linear probes on both features; the labels are the front end's own."""

    def frames(group: Sequence[EmotionalExample], part: str) -> tuple[Tensor, Tensor]:
        rows, labels = [], []
        for example in group[::4]:
            heard = talker.network.listen(example.rows[None])
            feature = (
                heard.content
                if part == "content"
                else talker.network.to_emotion(talker.network.to_memory(heard.emotion))
            )
            rows.append(feature[0, ::3])
            labels.append(example.phonemes[::3])
        return torch.cat(rows), torch.cat(labels)

    figures = {}
    for part in ("content", "emotion"):
        probe = LinearClassifier.fitted(*frames(known, part), len(PHONEMES))
        rows, labels = frames(acted, part)
        figures[part] = probe.accuracy(rows, labels)
        figures["most_frequent"] = float((labels == labels.mode().values).float().mean())
    return figures


def swapped_figures(talker: EmoTalk, lips: LipGeometry, acted: Sequence[EmotionalExample]) -> dict[str, float]:
    """The content of one recording with the emotion of another one of the same sentence and actor.

    Returns:
        Mean correlation of the lip gap with that of either recording in its own emotion, and mean distance of the mean
        upper face (all channels but those of jaw and mouth) to theirs.
    """
    network = talker.network
    figures: dict[str, list[float]] = defaultdict(list)
    upper = [i for i in _SHOWING if not ARKIT_NAMES[i].startswith(("jaw", "mouth", "tongue"))]
    anybody = torch.full((1, network.config.num_persons), 1 / network.config.num_persons)
    for first, second in _sentence_pairs(acted):
        heard = [network.listen(example.rows[None]) for example in (first, second)]
        size = min(len(first.rows), len(second.rows))
        made: dict[tuple[int, int], Tensor] = {}
        for e in (0, 1):
            emotion, level = heard[e].emotion[:, :size], _heard_level(talker, heard[e].emotion, size)
            for c in (0, 1):
                decoded = network.decode(heard[c].content[:, :size], emotion, level, anybody)
                made[c, e] = network.expression(decoded)[0]
        gaps = {key: lips.curves(rows)[:, :1] for key, rows in made.items()}
        figures["gap_r_with_content"].append(float(correlation(gaps[0, 1], gaps[0, 0])[0]))
        figures["gap_r_with_emotion"].append(float(correlation(gaps[0, 1], gaps[1, 1])[0]))
        faces = {key: rows[:, upper].mean(0) for key, rows in made.items()}
        figures["upper_distance_to_emotion"].append(float((faces[0, 1] - faces[1, 1]).norm()))
        figures["upper_distance_to_content"].append(float((faces[0, 1] - faces[0, 0]).norm()))
    return _means(figures)


def real_face_figures(shown: Sequence[EmotionalExample]) -> dict[str, float]:
    """How well the classifier of faces does on tracked clips of a speaker that was left out of its fitting."""
    right: dict[str, list[float]] = defaultdict(list)
    speakers = {e.clip.speaker for e in shown if (known := felt(e.clip.label)) and known.level}
    for speaker in sorted(speakers):
        probe = face_probe([example for example in shown if example.clip.speaker != speaker])
        rows, classes = _face_rows([example for example in shown if example.clip.speaker == speaker], shown)
        emotional = classes != EMOTIONS.index("neutral")
        right["windows"] += (probe.classify(rows[emotional]) == classes[emotional]).float().tolist()
        right["speakers"].append(probe.accuracy(rows[emotional], classes[emotional]))
    return _means(right) | {"chance": 1 / len(EMOTIONS)}


def face_probe(shown: Sequence[EmotionalExample]) -> LinearClassifier:
    """A classifier of faces, fitted on tracked clips."""
    return LinearClassifier.fitted(*_face_rows(shown, shown), len(EMOTIONS), least_spread=LEAST_SEEN)


def shown_figures(
    talker: Any, probe: LinearClassifier, acted: Sequence[EmotionalExample], lips: LipGeometry
) -> dict[str, Any]:
    """What emotion a classifier of real faces sees in our motion, and whether lips close on P, B and M.

    Recordings of unseen actors are animated in every emotion and level; `auto` shows the emotion of the voice.
    """
    chosen = acted[:: max(1, len(acted) // NUM_RECORDINGS)][:NUM_RECORDINGS]
    asked: dict[str, list[float]] = defaultdict(list)
    auto: list[float] = []
    closed: dict[str, list[float]] = defaultdict(list)
    voice = listener(talker)
    for example in chosen:
        waveform = read_waveform(example.clip.audio_path)
        without = speak_with_emotion(talker, waveform, Direction(emotion=EmotionTrack.constant({})))
        for emotion in EMOTIONS[1:]:
            for level in LEVELS:
                track = EmotionTrack.constant({emotion: level})
                motion = speak_with_emotion(talker, waveform, Direction(emotion=track))
                asked[f"level_{level:g}"].append(float(_seen(probe, motion, without) == emotion))
                if level == 2:
                    asked[emotion].append(asked["level_2"][-1])
                closed[emotion] += _closures(motion, without, lips)
        known = felt(example.clip.label)
        if known is not None and known.level:
            track = emotion_of_voice(voice.hear_emotion(waveform))
            motion = speak_with_emotion(talker, waveform, Direction(emotion=track))
            auto.append(float(_seen(probe, motion, without) == known.emotion))
    return {
        "asked": _means(asked),
        "auto": sum(auto) / max(1, len(auto)),
        "closure_recall": _means(closed),
        "recordings": len(chosen),
    }


def _seen(probe: LinearClassifier, motion: Motion, without: Motion) -> str:
    """The emotion that the classifier sees in most windows, relative to the mean of the take without emotion."""
    rows = _windows(motion.expression - without.expression.mean(0))
    return EMOTIONS[int(probe.classify(rows).mode().values)]


def _closures(motion: Motion, without: Motion, lips: LipGeometry) -> list[float]:
    """For each P, B or M at which the lips meet without emotion: 1 if they do with it, else 0."""
    gaps = [lips.curves(m.expression)[:, 0] for m in (motion, without)]
    found = []
    for event in without.events_of("phoneme"):
        if event.label in BILABIAL:
            frames = slice(max(0, round(event.start * FPS) - 1), round(event.end * FPS) + 1)
            if bool((gaps[1][frames] <= CLOSED["mm"]).any()):
                found.append(float(bool((gaps[0][frames] <= CLOSED["mm"]).any())))
    return found


def _face_rows(
    chosen: Sequence[EmotionalExample], everyone: Sequence[EmotionalExample]
) -> tuple[Float[Tensor, "windows features"], Int64[Tensor, " windows"]]:
    """Windows of labeled clips, relative to the neutral mean of their speaker, or of all where there is none."""
    calm: dict[str, list[Tensor]] = defaultdict(list)
    for example in everyone:
        known = felt(example.clip.label)
        if known is not None and not known.level:
            calm[example.clip.speaker].append(example.expression)
    usual = torch.stack([torch.cat(rows).mean(0) for rows in calm.values()]).mean(0)
    rows, classes = [], []
    for example in chosen:
        known = felt(example.clip.label)
        if known is None:
            continue
        own = calm.get(example.clip.speaker)
        windows = _windows(example.expression - (torch.cat(own).mean(0) if own else usual))
        rows.append(windows)
        classes.append(torch.full((len(windows),), EMOTIONS.index(known.emotion)))
    return torch.cat(rows), torch.cat(classes)


def _windows(expression: Float[Tensor, "frames 52"]) -> Float[Tensor, "windows features"]:
    """Mean of every channel but lids and gaze in windows of two seconds."""
    size = min(WINDOW_FRAMES, len(expression))
    return expression[:, _SHOWING].unfold(0, size, max(1, size // 2)).mean(-1)


def _sentence_pairs(acted: Sequence[EmotionalExample]) -> list[tuple[EmotionalExample, EmotionalExample]]:
    """Recordings of one sentence by one actor in two emotions, both strong."""
    groups: dict[tuple[str, str], list[EmotionalExample]] = defaultdict(list)
    for example in acted:
        known = felt(example.clip.label)
        if known is not None and known.level == LEVELS[-1]:
            groups[example.clip.speaker, example.clip.text].append(example)
    return [
        (first, second)
        for group in groups.values()
        for first, second in pairwise(group)
        if felt(first.clip.label) != felt(second.clip.label)
    ]


def _heard_level(talker: EmoTalk, emotion: Tensor, size: int) -> Float[Tensor, "1 frames levels"]:
    logits = talker.network.classify(emotion)
    calm = logits.sounds.softmax(1)[:, talker.network.calm].sum(1, keepdim=True)
    return (logits.levels.softmax(1) * (1 - calm))[:, None].expand(-1, size, -1)


def _pooled(rows: Float[Tensor, "frames features"]) -> Float[Tensor, " pooled"]:
    return torch.cat([rows.mean(0), rows.std(0, correction=0)])


def _sound(example: EmotionalExample) -> str:
    return example.clip.label.partition("/")[0]


def _corpus(example: EmotionalExample) -> str:
    return example.clip.speaker.partition(":")[0]


def _means(figures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: sum(values) / max(1, len(values)) for name, values in figures.items()}


def main(clips: str, speech: str, talker: str = "emotalk") -> dict[str, Any]:
    """The figures of a trained talker.

    Args:
        clips: folder of the tracked clips.
        speech: folder of the recordings.
        talker: name or folder.
    """
    options = read_training_config("emotalk", [f"data.recordings={speech}"])
    options.pop("method")
    task = make_task(RECIPE.read_config(options), Path(clips))
    with torch.no_grad():
        loaded = EmoTalk.from_folder(talker_folder(talker))
    return card_figures(task, loaded, load_head())


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python -m facetalk.workshop.cards.emotalk CLIPS SPEECH [TALKER]")
    torch.set_num_threads(1)
    print(json.dumps(main(*sys.argv[1:]), indent=2))
