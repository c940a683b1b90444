"""What a pair of clips offers to metrics; everything is computed once, and only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from facetalk.audio.activity import loudness_db
from facetalk.audio.phonemes import PHONEME_IDS, SILENCE
from facetalk.audio.visemes import BILABIAL, bilabial_frames, viseme_of_phoneme
from facetalk.core.errors import FacetalkError
from facetalk.core.timing import FPS, frame_times, resample
from facetalk.head.model import HeadModel
from facetalk.metrics.base import (
    AnglePair,
    CurvePair,
    FeaturePair,
    GazePair,
    LandmarkPair,
    MeshPair,
    NotOfferedError,
    Reading,
    Synchrony,
)
from facetalk.metrics.landmarks import lip_opening
from facetalk.metrics.sequences import without_repetitions
from facetalk.metrics.vertices import MM_PER_M
from facetalk.pipelines.evaluation.clips import Clip, MotionClip, VideoClip, kind_of, same_length
from facetalk.pipelines.evaluation.image_pairs import ImagePair, image_pairs
from facetalk.pipelines.evaluation.regions import MeshLayout, head_layout
from facetalk.pipelines.evaluation.sides import Side, needs_faces_that_move

if TYPE_CHECKING:
    from facetalk.io.audio import Waveform
    from facetalk.pipelines.evaluation.synchrony import SyncScorer

SYNC_CRITIC = "sync-critic"
"""Name of the weights that are used if none are given."""


@dataclass(frozen=True)
class Options:
    """What the files themselves do not say."""

    layout: MeshLayout | None = None
    """Regions and templates of meshes that are no head of facetalk."""
    fps: float | None = None
    """Frame rate of meshes that do not state one."""
    sync_critic: str = SYNC_CRITIC
    """Bundled weights, or a folder that `facetalk train sync-critic` wrote."""


@dataclass(frozen=True, eq=False)
class PairEvidence:
    """A predicted clip and its reference; see `metrics.base.Evidence`."""

    predicted_clip: Clip
    reference_clip: Clip
    head: HeadModel
    name: str
    """Of the pair."""
    hears: Callable[[], Waveform | None]
    """The audio of the clips, if there is any."""
    options: Options = field(default_factory=Options)
    takes: Sequence[Callable[[], Clip]] = ()
    """Other predictions for the same reference."""

    @property
    def fps(self) -> float:
        """See `Evidence.fps`."""
        rates = (self.reference_clip.fps, self.options.fps, self.predicted_clip.fps, FPS)
        return next(rate for rate in rates if rate is not None)

    def close(self) -> None:
        """Remove the decoded audio."""
        audio = self.__dict__.get("_audio")  # without decoding it now
        if audio is not None and not isinstance(audio, Tensor):
            audio.close()

    def _side(self, clip: Clip) -> Side:
        return Side(clip, self.head, self.fps, clip.fps or self.options.fps or self.fps)

    @cached_property
    def _sides(self) -> tuple[Side, Side]:
        return self._side(self.predicted_clip), self._side(self.reference_clip)

    def _same_length(self, num_predicted: int, num_reference: int) -> int:
        return same_length(self.predicted_clip.path, num_predicted, self.reference_clip.path, num_reference)

    @cached_property
    def _times(self) -> Float[Tensor, " frames"]:
        """When the frames of the reference are that both clips have."""
        ours, theirs = (side.times for side in self._sides)
        clip = self.predicted_clip
        if isinstance(clip, VideoClip) and (clip.still or clip.repeated):
            return theirs
        lengths = [round(float(times[-1] - times[0]) * self.fps) + 1 for times in (ours, theirs)]
        self._same_length(*lengths)
        return theirs[theirs < float(ours[-1]) + 1 / self.fps]

    def meshes(self) -> MeshPair:
        """See `Evidence.meshes`."""
        return self._meshes

    @cached_property
    def _meshes(self) -> MeshPair:
        vertices, true_vertices = (side.vertices(self._betas) for side in self._sides)
        if vertices.shape[1] != true_vertices.shape[1]:
            raise FacetalkError(
                f"{self.predicted_clip.path} has {vertices.shape[1]} vertices and {self.reference_clip.path} "
                f"{true_vertices.shape[1]}: not the same mesh"
            )
        layout = self._layout(vertices.shape[1])
        num_frames = self._same_length(len(vertices), len(true_vertices))
        template = layout.template_of(self.name)
        if template is None and vertices.shape[1] == len(self.head.template):
            template = self.head.template if self._betas is None else self.head.shaped(self._betas)[0]
        return MeshPair(vertices[:num_frames], true_vertices[:num_frames], template, layout.regions)

    def _layout(self, num_vertices: int) -> MeshLayout:
        layout = self.options.layout
        if layout is None:
            return head_layout(self.head) if num_vertices == len(self.head.template) else MeshLayout()
        layout.check(self.reference_clip.path, num_vertices)
        return layout

    @cached_property
    def _betas(self) -> Tensor | None:
        """The person of the reference, or of the prediction where only that says who it is."""
        clips = (self.reference_clip, self.predicted_clip)
        return next((clip.motion.betas for clip in clips if isinstance(clip, MotionClip)), None)

    def landmarks(self) -> LandmarkPair:
        """See `Evidence.landmarks`."""
        return self._landmarks

    @cached_property
    def _landmarks(self) -> LandmarkPair:
        if not any(isinstance(side.clip, VideoClip) for side in self._sides):
            mesh = self.meshes()
            rest = None if mesh.template is None else float(lip_opening(self._on_mesh(mesh.template[None])))
            return LandmarkPair(self._on_mesh(mesh.predicted), self._on_mesh(mesh.reference), "mm", rest)
        ours, theirs = (self._landmarks_at(side, self._times) for side in self._sides)
        return LandmarkPair(ours, theirs, "iod" if isinstance(self.reference_clip, VideoClip) else "mm")

    def _landmarks_at(self, side: Side, times: Float[Tensor, " frames"]) -> Float[Tensor, "frames 68 3"]:
        if isinstance(side.clip, VideoClip):
            return side.video_landmarks(times)
        return resample(self._on_mesh(side.vertices(self._betas)), side.times, times)

    def _on_mesh(self, vertices: Float[Tensor, "frames vertices 3"]) -> Float[Tensor, "frames 68 3"]:
        """The landmarks of a mesh, millimeters."""
        layout = self.options.layout
        if layout is not None and layout.landmarks is not None:
            return MM_PER_M * vertices[:, layout.landmarks]
        if vertices.shape[1] != len(self.head.template):
            raise NotOfferedError("needs the 68 landmarks; give them as `landmarks` in the file of --regions")
        return MM_PER_M * self.head.points.landmarks.on(vertices)

    def head_angles(self) -> AnglePair:
        """See `Evidence.head_angles`."""
        needs_faces_that_move(*self._sides)
        return AnglePair(*(side.head_angles(self._times) for side in self._sides))

    def gaze(self) -> GazePair:
        """See `Evidence.gaze`."""
        return GazePair(*(side.gaze(self._times) for side in self._sides))

    def lid_closures(self) -> CurvePair:
        """See `Evidence.lid_closures`."""
        needs_faces_that_move(*self._sides)
        return CurvePair(*(side.lid_closure(self._times) for side in self._sides))

    def expression_features(self) -> FeaturePair:
        """See `Evidence.expression_features`."""
        needs_faces_that_move(*self._sides)
        return FeaturePair(*(side.expression_features(self._times) for side in self._sides))

    def images(self) -> Iterator[ImagePair]:
        """See `Evidence.images`."""
        for clip in (self.predicted_clip, self.reference_clip):
            if not isinstance(clip, VideoClip):
                raise NotOfferedError(f"needs videos; {clip.path} is {kind_of(clip)}")
        assert isinstance(self.predicted_clip, VideoClip) and isinstance(self.reference_clip, VideoClip)
        return image_pairs(self.predicted_clip, self.reference_clip)

    @cached_property
    def _audio(self) -> Waveform | None:
        return self.hears()

    @property
    def _waveform(self) -> Waveform:
        if self._audio is None:
            raise NotOfferedError("needs the speech, and no audio belongs to the clips; name it with --audio")
        return self._audio

    def loudness(self) -> Float[Tensor, " frames"]:
        """See `Evidence.loudness`."""
        rows = loudness_db(self._waveform, self.fps)
        return resample(rows, frame_times(len(rows), self.fps), self._times)

    @cached_property
    def _heard(self) -> Int64[Tensor, " frames"]:
        """The phoneme that is most probable in the audio, at 30 frames a second."""
        from facetalk.networks.registry import load  # loads much that other metrics do without

        waveform, encoder = self._waveform, load("speech-encoder")
        columns = encoder.slices["posteriors"]
        return torch.cat([rows[:, columns].argmax(1) for rows in encoder.encode_blocks(waveform)])

    def bilabials(self) -> Bool[Tensor, " frames"]:
        """See `Evidence.bilabials`."""
        for clip in (self.reference_clip, self.predicted_clip):
            events = clip.motion.events_of("phoneme") if isinstance(clip, MotionClip) else ()
            if events:
                middles = self._times + 0.5 / self.fps
                spans = [(event.start, event.end) for event in events if event.label in BILABIAL]
                parts = [(middles >= start) & (middles < end) for start, end in spans]
                return torch.stack(parts).any(0) if parts else torch.zeros(len(middles), dtype=torch.bool)
        spoken = bilabial_frames(self._heard).float()
        return resample(spoken, frame_times(len(spoken)), self._times) >= 0.5

    def reading(self) -> Reading:
        """See `Evidence.reading`."""
        needs_faces_that_move(*self._sides)
        heard = _spoken(self._heard)
        ours, theirs = (_spoken(side.phonemes_seen().argmax(1)) for side in self._sides)
        return Reading(heard, ours, theirs, viseme_of_phoneme().tolist())

    def synchrony(self) -> tuple[Synchrony, Synchrony]:
        """See `Evidence.synchrony`."""
        motions = [side.motion("motions") for side in self._sides]
        waveform = self._waveform
        scorer = _scorer(self.options.sync_critic, self.head)
        features = scorer.features(waveform)
        ours, theirs = (scorer.similarities(motion, features) for motion in motions)
        return ours, theirs

    def other_takes(self) -> Sequence[Float[Tensor, "frames vertices 3"]]:
        """See `Evidence.other_takes`."""
        return [self._side(clip()).vertices(self._betas) for clip in self.takes]


@lru_cache(maxsize=1)
def _scorer(name: str, head: HeadModel) -> SyncScorer:
    from facetalk.pipelines.evaluation.synchrony import SyncScorer  # loads networks

    return SyncScorer(name, head.assets)


def _spoken(phonemes: Int64[Tensor, " frames"]) -> list[int]:
    """Phonemes without repetitions and silence."""
    silent = (SILENCE, PHONEME_IDS["NSN"])
    return [symbol for symbol in without_repetitions(phonemes.tolist()) if symbol not in silent]
