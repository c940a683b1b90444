"""What `animate` is to make: options, inputs, targets, and which of these exist already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from numbers import Real
from pathlib import Path

import torch

from facetalk.core.audio_part import AudioPart
from facetalk.core.emotions import EmotionTrack
from facetalk.core.errors import USER_ERRORS, FacetalkError, UsageError, user_error
from facetalk.core.motion import check_fps
from facetalk.core.text import unicode_name
from facetalk.data.sources import clip_names, find_speech
from facetalk.exporters.base import DEFAULT_SIZE, ExportOptions, check_size
from facetalk.exporters.registry import FORMATS, formats_named
from facetalk.head.looks import Look
from facetalk.io.audio_clip import AudioClip
from facetalk.io.emotion_track import emotion_track, is_auto, is_track_file
from facetalk.io.media import checked_file
from facetalk.io.path_list import as_path, listed
from facetalk.io.voices import SpokenText
from facetalk.io.weights import MODEL_FILE
from facetalk.motion.gestures.gaze import EYE_CONTACT, Gaze
from facetalk.motion.gestures.look import look_target
from facetalk.motion.gestures.registry import DEFAULT, check_factors, check_gesture, check_seed
from facetalk.motion.regions import RegionalControl
from facetalk.neural_rendering.registry import NEURAL_RENDERERS
from facetalk.pipelines.batch import Outcome, failed
from facetalk.pipelines.records import fingerprint, fingerprints, is_output, recorded, wanted_targets
from facetalk.pipelines.sidecar import Sidecar, beside, edits_made_with
from facetalk.talkers.base import check_laughter, check_strength
from facetalk.talkers.styles import parse_mixture


@dataclass(frozen=True)
class AnimateOptions:
    """How speech is animated."""

    style: str | Path | None = None
    """Whose speaking style is used: a video, a motion file, a saved or bundled style, or a mixture of these such as
    `A.mp4:0.4,happy:0.6`; the talker's neutral one if omitted."""
    style_strength: float = 1.0
    """How far to go from the neutral style: 0 not at all, 1 all the way, at most 1.5."""
    talker: str = "styletalk"
    """A bundled talker, or a folder that `facetalk train` wrote."""
    head: str = "facetalk"
    look: Look = field(default_factory=Look)
    """Colors of skin, eyes and hair."""
    avatar: str | Path | None = None
    """The user's own character, a `.glb`, `.gltf` or `.vrm` file, in place of the head in `.glb` and video."""
    photo: str | Path | None = None
    """Folder of a training by `facetalk train render2video`, whose person the video shows in place of the head."""
    portrait: str | Path | None = None
    """Photo of a person, an image file, who is shown in place of the head in video."""
    emotion: str | Path | EmotionTrack | None = None
    """What the face feels: `happy`, `happy:2`, `happy:1,surprised:1`, `va:0.6,-0.3`, a CSV file with emotions over
    time, or `auto`, from the voice; see `facetalk.io.emotion_track`."""
    person: str | None = None
    """One of the people that the talker was trained on, by name or number."""
    laughter: float | None = None
    """Multiplies how much the face laughs where the voice does; 0 for not at all, at most 2. If None, it is 1 where the
    weights of LaughTalk are installed."""
    gestures: str = DEFAULT
    """What moves head and eyes: a name of `facetalk.motion.gestures.registry.GESTURES`, or a folder that
    `facetalk train facial` wrote."""
    head_motion: float = 1.0
    """Multiplies how far the head moves by itself; 0 for not at all."""
    blinks: float = 1.0
    """Multiplies how often the eyes blink; 0 for never."""
    gaze: float = 1.0
    """Multiplies how far the eyes wander; 0 for eyes that rest."""
    look_at: str | Path | None = None
    """Where the eyes look: `camera`, a place `X,Y,Z` in meters, or a CSV file with places over time, see
    `facetalk.motion.gestures.look`."""
    eye_contact: float = EYE_CONTACT
    """Share of the time that the eyes are on what they look at."""
    still: bool = False
    """Hold head and eyes; the eyes still blink."""
    idle_s: float | None = None
    """Seconds of a loop in which the face rests, in place of a recording."""
    formats: Sequence[str] = ("mp4", "npz", "glb")
    size: int = DEFAULT_SIZE
    """Side of the video's square image, pixels."""
    fps: float | None = None
    """Frames a second of all files: 24, 25, 29.97, 30, 50, 60 or any other; 30 if omitted."""
    seed: int | None = None
    """Decides when the eyes blink and how the head moves; if None, it follows from the recording."""
    control: RegionalControl = field(default_factory=RegionalControl)
    """How much mouth, upper face, eyes, head and single channels move."""
    part: AudioPart = field(default_factory=AudioPart)
    """Which channel and span of the recording is used."""
    transcript: str | Path | None = None
    """File with what is said: text, subtitles or a TextGrid, see `facetalk.io.transcript`."""
    spoken: SpokenText | None = None
    """Text that a voice says, in place of a recording."""

    def __post_init__(self) -> None:
        if self.idle_s is not None:
            check_idle(self)
        if self.spoken is not None and self.transcript is not None:
            raise UsageError("text that a voice says needs no transcript; give one of the two")
        if self.transcript is not None:
            as_path(self.transcript, "a transcript")
        formats_named(self.formats)
        if (self.photo is not None or self.portrait is not None) and "mp4" not in self.formats:
            raise UsageError("only the video shows a person; add mp4 to the formats, or leave out the photo")
        if self.still and (self.head_motion, self.gaze) != (1.0, 1.0):
            raise UsageError("a head that is held does not move: give --still without --head-motion and --gaze")
        check_factors(self.head_motion, self.blinks)
        check_gesture(self.gestures)
        self.directed_gaze()
        _ = self.emotion_track  # a wrong one is refused here
        check_seed(self.seed)
        check_fps(self.fps)
        check_size(self.size)
        written = self.written()
        if not any(FORMATS[name].has_look for name in self.formats if name != "mp4"):
            written.refuse_look(self.look)
        check_strength(self.style_strength)
        self.control.check()
        if self.laughter is not None:
            check_laughter(self.laughter)

    def written(self, audio: AudioClip | None = None) -> ExportOptions:
        """How files are written."""
        shown = {name: getattr(self, name) for name in ("avatar", *NEURAL_RENDERERS)}
        neural = any(shown[name] is not None for name in NEURAL_RENDERERS)
        size = None if neural and self.size == DEFAULT_SIZE else self.size
        return ExportOptions(fps=self.fps, size=size, audio=audio, **shown)

    def directed_gaze(self) -> Gaze:
        """Where the eyes look, and how far they wander."""
        return Gaze(0.0 if self.still else self.gaze, self.eye_contact, look_target(self.look_at))

    @cached_property
    def emotion_track(self) -> EmotionTrack | None:
        """Which emotions when; None without any, and where the voice decides. A file is read once."""
        return None if self.emotion is None else emotion_track(self.emotion)

    @property
    def hears_emotion(self) -> bool:
        """Whether the voice decides."""
        return is_auto(self.emotion)

    @property
    def moving_head(self) -> float:
        """How far the head moves, all options considered."""
        return 0.0 if self.still else self.head_motion


IDLE = "idle"
"""Name of the outputs of a loop."""

IDLE_GESTURE = "idle"
"""The gestures that can be a loop."""

LONGEST_IDLE_S = 3600.0
"""Of a loop."""


SPEAKING = {
    "transcript": "--transcript",
    "spoken": "--text",
    "style": "--style",
    "style_strength": "--style-strength",
    "talker": "--talker",
    "laughter": "--laughter",
    "part": "--channel, --from and --to",
}
"""Options that only a face that speaks has."""


def check_idle(options: AnimateOptions) -> None:
    """Refuse a loop of no length, one that is to say something, or one that would not end where it begins."""
    seconds = options.idle_s
    if not (isinstance(seconds, Real) and 1 <= seconds <= LONGEST_IDLE_S):
        raise UsageError(f"idle is {seconds} s; a loop is 1 to {LONGEST_IDLE_S:g} s long")
    usual = AnimateOptions()
    ignored = [flag for name, flag in SPEAKING.items() if getattr(options, name) != getattr(usual, name)]
    if ignored:
        raise UsageError(f"an idle face says nothing; give --idle without {', '.join(ignored)}")
    if options.gestures not in (DEFAULT, IDLE_GESTURE):
        raise UsageError(f"a loop has the gestures {IDLE_GESTURE!r}, not {options.gestures!r}, which hear speech")
    track = options.emotion_track
    if options.hears_emotion or (track is not None and len(track.times) > 1):
        raise UsageError("a loop ends where it begins; give --idle an emotion that lasts, such as happy:1")
    target = look_target(options.look_at)
    if target is not None and bool((target != target[:1]).any()):
        raise UsageError(
            "a loop ends where it begins, which a track does not; give --look camera or a place with --idle"
        )


@dataclass(frozen=True)
class AnimateJob:
    """What is to be made of one audio file."""

    speech: Path
    targets: Mapping[str, Path]
    made: Mapping[str, object]
    """Options that decide the motion, see `made_with`."""
    sidecar: Sidecar | None = None
    """The list of edits beside the outputs."""
    redone: str = ""


def found_speech(speeches: Sequence[Path | str]) -> list[Path]:
    """Audio files and videos, without the videos that an earlier run wrote into a folder that is searched."""
    speeches = listed(speeches)
    given = {path for path in speeches if not path.is_dir()}
    return [path for path in find_speech(speeches) if path in given or not is_output(path)]


def plan(speeches: Sequence[Path], out: Path | str | None, formats: Sequence[str]) -> dict[Path, dict[str, Path]]:
    """Return the path of each format of each audio file: `OUT/NAME/NAME.mp4` and so on, with unique names."""
    return {
        speech: {entry: Path(out or ".") / name / f"{name}{FORMATS[entry].suffix}" for entry in dict.fromkeys(formats)}
        for speech, name in clip_names(speeches).items()
    }


def planned(
    speeches: Sequence[Path | str], out: Path | str | None, formats: Sequence[str], options: AnimateOptions
) -> dict[Path, dict[str, Path]]:
    """Return the path of each format of each recording, or of the text that is said.

    Raises:
        UsageError: there are no recordings, they do not go with the options, or a folder holds none.
    """
    if options.idle_s is not None:
        if speeches:
            raise UsageError("give recordings, or --idle for a loop without audio, not both")
        return plan([Path(IDLE)], out, formats)
    if options.spoken is not None:
        if speeches:
            raise UsageError("give recordings, or a text that a voice says, not both; a known text is a transcript")
        return spoken_targets(options.spoken.name, out, formats)
    if not speeches:
        raise UsageError("nothing to animate; give a recording, a folder, a table @lines.csv, --text or --idle")
    found = found_speech(speeches)
    if options.transcript is not None and len(found) > 1:
        raise UsageError(f"one transcript for {len(found)} recordings; a table @lines.csv has one for each")
    return plan(found, out, formats)


def spoken_targets(name: str, out: Path | str | None, formats: Sequence[str]) -> dict[Path, dict[str, Path]]:
    """As `plan`, for text: its audio, which is one of the outputs, and the path of each format."""
    wav = Path(out or ".") / name / f"{name}.wav"
    return {wav: {"wav": wav, **plan([wav], out, formats)[wav]}}


def sorted_out(
    plans: Mapping[Path, Mapping[str, Path]], options: AnimateOptions, overwrite: bool, skip_existing: bool
) -> tuple[dict[Path, AnimateJob], list[Outcome]]:
    """What is to be made, and the outcomes that are known before any work."""
    jobs: dict[Path, AnimateJob] = {}
    settled: list[Outcome] = []
    for speech, targets in plans.items():
        try:
            if options.spoken is None and options.idle_s is None:
                _check_speech(speech, targets)
            sidecar = beside(targets)
            made = {**made_with(speech, options), **edits_made_with(sidecar)}
            needed = partial(file_options, made=made, options=options)
            wanted, redone = wanted_targets(targets, needed, overwrite, skip_existing)
        except USER_ERRORS as error:
            settled.append(failed(speech, user_error(error)))
            continue
        if wanted:
            jobs[speech] = AnimateJob(speech, wanted, made, sidecar, redone)
        else:
            settled.append(Outcome(speech, "skipped", targets))
    return jobs, settled


def _check_speech(speech: Path, targets: Mapping[str, Path]) -> None:
    checked_file(speech, "an audio file")
    if any(path.exists() and path.samefile(speech) for path in targets.values()):
        raise FacetalkError(f"{speech} would be replaced by its own animation; choose another folder with -o")


def made_with(speech: Path, options: AnimateOptions) -> dict[str, object]:
    """The options that decide the motion; they are stored with it, and tell whether a later run would repeat it."""
    return {
        "command": "animate",
        **_said(speech, options),
        "transcript_fingerprint": None if options.transcript is None else fingerprint(Path(options.transcript)),
        "style": _style_name(options.style),
        **_style_fingerprints(options.style),
        "style_strength": options.style_strength,
        "talker": _weights_name(options.talker),
        "head": options.head,
        **_emotion(options.emotion),
        **({} if options.person is None else {"talker_person": options.person}),
        "laughter": options.laughter,
        "gestures": _weights_name(options.gestures),
        "head_motion": options.moving_head,
        "blinks": options.blinks,
        "gaze": 0.0 if options.still else options.gaze,
        **_look_at(options.look_at),
        "eye_contact": options.eye_contact,
        "fps": options.fps,
        "chosen_seed": options.seed,
        **options.control.described(),
        **options.part.meta(),
    }


def _said(speech: Path, options: AnimateOptions) -> dict[str, object]:
    if options.idle_s is not None:
        return {"idle_s": options.idle_s}
    known = {"speech_fingerprint": fingerprint(speech)} if options.spoken is None else options.spoken.meta()
    return {"speech": unicode_name(speech.name), **known}


def file_options(name: str, made: Mapping[str, object], options: AnimateOptions) -> dict[str, object]:
    """The options that decide a file of one format."""
    own: dict[str, object] = {}
    if name not in FORMATS:
        return {**made}
    if FORMATS[name].has_look:
        own["look"] = asdict(options.look)
    if options.avatar is not None and FORMATS[name].avatar_module:
        path = Path(options.avatar)
        own |= {"avatar": unicode_name(path.name), "avatar_fingerprint": fingerprint(path)}
    for neural in (option for option in NEURAL_RENDERERS if option in FORMATS[name].options):
        if (path := getattr(options, neural)) is not None:
            own |= {neural: recorded(Path(path))} | fingerprints({neural: path})
    if "size" in FORMATS[name].options:
        own["size"] = options.size
    return {**made, **own}


def _weights_name(name: str) -> str:
    """Return how the motion file names a talker or gestures: a folder of weights by what it holds."""
    weights = Path(name) / MODEL_FILE
    return name if not weights.is_file() else f"{unicode_name(Path(name).name)} {fingerprint(weights)}"


def _emotion(asked: str | Path | EmotionTrack | None) -> dict[str, object]:
    """Return which emotion is shown, a file by its name and content."""
    if isinstance(asked, EmotionTrack):
        values = torch.cat([asked.times[:, None].double(), asked.levels.double()], 1)
        return {"emotion": "track", "emotion_fingerprint": hashlib.sha256(values.numpy().tobytes()).hexdigest()[:16]}
    if asked is None:
        return {}
    if not (isinstance(asked, Path) or is_track_file(asked)):
        return {"emotion": asked}
    return {"emotion": unicode_name(Path(asked).name), "emotion_fingerprint": fingerprint(Path(asked))}


def _look_at(place: str | Path | None) -> dict[str, object]:
    """Return what the eyes look at, a file by its name and content."""
    if place is None or not Path(place).is_file():
        return {"look_at": None if place is None else str(place)}
    return {"look_at": unicode_name(Path(place).name), "look_at_fingerprint": fingerprint(Path(place))}


def _style_name(style: str | Path | None) -> str:
    """Return how the motion file names its style: a file without its folder."""
    if style is None:
        return "neutral"
    return unicode_name(Path(style).name) if Path(style).exists() else unicode_name(style)


def _style_fingerprints(style: str | Path | None) -> dict[str, object]:
    """Fingerprints of the files of a style or mixture."""
    if style is None:
        return {}
    parts = [str(style)] if Path(style).exists() else [part for part, _ in parse_mixture(str(style))]
    marks = [fingerprint(Path(part)) for part in parts if Path(part).is_file()]
    return {"style_fingerprint": " ".join(marks)} if marks else {}
