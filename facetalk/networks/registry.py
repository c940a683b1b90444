"""Trained networks by kind and name: one table, and one function that loads any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from torch import Tensor, nn

from facetalk.audio.delivery import DELIVERY
from facetalk.core.config import build
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head.behavior import NUM_STATES
from facetalk.io.weights import CONFIG_FILE, MODEL_FILE, bundled, completing, is_bundled, read_config, read_state
from facetalk.networks.experts import frozen
from facetalk.networks.growth import at_most

if TYPE_CHECKING:
    from facetalk.networks.critics import StyleCritic, SyncCritic
    from facetalk.networks.experts import ExpressionReader, LipReader
    from facetalk.networks.expression_net import ExpressionNet
    from facetalk.networks.face_encoder import CoarseEncoder, FaceEncoder, PerceptualEncoder
    from facetalk.networks.facial import FacialNetwork
    from facetalk.networks.laughter_detector import LaughterDetector
    from facetalk.networks.lip_reader import PhonemeLipReader
    from facetalk.networks.person_matte import PersonMatte
    from facetalk.networks.portrait import PortraitNetwork
    from facetalk.networks.probed_encoder import ProbedEncoder
    from facetalk.networks.render2video import PersonGenerator
    from facetalk.networks.speech_encoder import SpeechEncoder
    from facetalk.networks.styletalk import SpeechFeatures

POCKETSPHINX = "pocketsphinx"
"""What a talker's configuration calls phonemes in place of a speech encoder."""


@dataclass(frozen=True)
class NetworkType:
    """A kind of network that can be loaded."""

    method: str
    """How it was made; tells apart networks of one kind."""
    module: str
    """Module of this package; imported on first use."""
    network: str
    """Name of the class in it."""
    config: str
    """Name of the dataclass in it that the entry `network` of `config.yaml` fills."""
    inputs: tuple[str, ...] = ()
    """Further entries of `config.yaml` that the constructor takes: sizes that the training data decide."""
    bundled: str = ""
    """Name of the weights that come with facetalk; empty if there are none."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Those of the inputs that facetalk itself decides."""
    ranges: str = ""
    """Name of a mapping in the module: smallest and largest plausible value of buffers that are statistics."""

    def check_sizes(self, entries: Mapping[str, Any]) -> None:
        """Refuse a description of a network for other inputs than those of this version of facetalk."""
        for name, size in self.sizes.items():
            if entries.get(name) != size:
                raise ValueError(
                    f"{name} is {entries.get(name)!r:.40}; this version of facetalk has {size}: train them again"
                )

    def check_statistics(self, state: Mapping[str, Tensor]) -> None:
        """Refuse statistics that no data have."""
        ranges = getattr(import_module(f"facetalk.networks.{self.module}"), self.ranges) if self.ranges else {}
        for name, (low, high) in ranges.items():
            least, most = (float(value) for value in state[name].aminmax())
            if not low <= least <= most <= high:
                found = f"{least:g}" if least == most else f"{least:g} to {most:g}"
                raise ValueError(f"{name} is {found}; it must lie between {low:g} and {high:g}")

    def classes(self) -> tuple[Callable[..., nn.Module], type]:
        """The class of the network and that of its configuration."""
        module = import_module(f"facetalk.networks.{self.module}")
        return getattr(module, self.network), getattr(module, self.config)


NETWORKS: dict[str, tuple[NetworkType, ...]] = {
    "talker": (
        NetworkType("styletalk", "styletalk", "StyleTalkGenerator", "GeneratorConfig", ("num_features",), "styletalk"),
        NetworkType("laughtalk", "laughtalk", "LaughTalkNetwork", "LaughTalkConfig", ("num_channels",), "laughtalk"),
        NetworkType("emotalk", "emotalk", "EmoTalkNetwork", "EmoTalkConfig", ("num_features",), "emotalk"),
    ),
    "speech-encoder": (
        NetworkType(
            "speech-encoder", "speech_encoder", "SpeechEncoder", "SpeechEncoderConfig", bundled="speech-encoder"
        ),
    ),
    "wav2vec": (
        NetworkType("verbal-encoder", "probed_encoder", "ProbedEncoder", "ProbedEncoderConfig"),
        NetworkType("nonverbal-encoder", "probed_encoder", "ProbedEncoder", "ProbedEncoderConfig"),
    ),
    "gestures": (
        NetworkType(
            "facial",
            "facial",
            "FacialNetwork",
            "FacialConfig",
            ("num_features", "num_states"),
            "facial",
            {"num_features": len(DELIVERY), "num_states": NUM_STATES},
            "PLAUSIBLE",
        ),
    ),
    "laughter-detector": (
        NetworkType("laughter", "laughter_detector", "LaughterDetector", "LaughterDetectorConfig", bundled="laughter"),
    ),
    "lip-reader": (
        NetworkType("lip-reader", "lip_reader", "PhonemeLipReader", "LipReaderConfig", bundled="lip-reader"),
    ),
    "expression-net": (
        NetworkType(
            "expression-net", "expression_net", "ExpressionNet", "ExpressionNetConfig", bundled="expression-net"
        ),
    ),
    "coarse-encoder": (
        NetworkType("coarse-encoder", "face_encoder", "CoarseEncoder", "FaceEncoderConfig", bundled="coarse-encoder"),
    ),
    "perceptual-encoder": (
        NetworkType("spectre", "face_encoder", "PerceptualEncoder", "FaceEncoderConfig", bundled="spectre"),
    ),
    "portrait": (
        NetworkType("portrait", "portrait", "PortraitNetwork", "PortraitConfig", ("num_motion",), "portrait"),
    ),
    "person-matte": (
        NetworkType("person-matte", "person_matte", "PersonMatte", "PersonMatteConfig", bundled="person-matte"),
    ),
    "person": (NetworkType("render2video", "render2video", "PersonGenerator", "Render2VideoConfig"),),
    "sync-critic": (NetworkType("sync-critic", "critics", "SyncCritic", "SyncCriticConfig", ("num_features",)),),
    "style-critic": (
        NetworkType("style-critic", "critics", "StyleCritic", "PatchCriticConfig", ("num_channels", "num_styles")),
    ),
}
"""By kind, which each `config.yaml` names together with the method."""


_LARGEST_SIZE = 1_000_000
"""Of an input of a network."""


class Described(NamedTuple):
    """A folder of weights and what its `config.yaml` says."""

    folder: Path
    entries: Mapping[str, Any]


def describe(kind: str, name: str | Path = "") -> Described:
    """Find the weights of a network and read their description.

    Args:
        kind: see `NETWORKS`.
        name: bundled weights, or a folder that `facetalk train` wrote; the bundled ones of this kind if empty.

    Raises:
        UsageError: there is no such kind.
        MissingAssetError: there are no such weights.
        FacetalkError: the folder holds a network of another kind.
    """
    if kind not in NETWORKS:
        raise UsageError(f"unknown kind of network {kind!r}; known: {', '.join(NETWORKS)}")
    folder = weights_folder(name or next(known.bundled for known in NETWORKS[kind]))
    entries = read_config(folder / CONFIG_FILE)
    if entries.get("kind") != kind:
        raise FacetalkError(f"{folder} holds a network of kind {entries.get('kind')!r}; {kind!r} is needed")
    return Described(folder, entries)


@overload
def load(kind: Literal["talker"], name: str | Path = "") -> Any: ...  # depends on the method that the folder names
@overload
def load(kind: Literal["speech-encoder"], name: str | Path = "") -> SpeechEncoder: ...
@overload
def load(kind: Literal["wav2vec"], name: str | Path) -> ProbedEncoder: ...
@overload
def load(kind: Literal["laughter-detector"], name: str | Path = "") -> LaughterDetector: ...
@overload
def load(kind: Literal["gestures"], name: str | Path = "") -> FacialNetwork: ...
@overload
def load(kind: Literal["lip-reader"], name: str | Path = "") -> PhonemeLipReader: ...
@overload
def load(kind: Literal["expression-net"], name: str | Path = "") -> ExpressionNet: ...
@overload
def load(kind: Literal["coarse-encoder"], name: str | Path = "") -> CoarseEncoder: ...
@overload
def load(kind: Literal["perceptual-encoder"], name: str | Path = "") -> PerceptualEncoder: ...
@overload
def load(kind: Literal["portrait"], name: str | Path = "") -> PortraitNetwork: ...
@overload
def load(kind: Literal["sync-critic"], name: str | Path) -> SyncCritic: ...
@overload
def load(kind: Literal["person-matte"], name: str | Path = "") -> PersonMatte: ...
@overload
def load(kind: Literal["person"], name: str | Path) -> PersonGenerator: ...
@overload
def load(kind: Literal["style-critic"], name: str | Path) -> StyleCritic: ...
@overload
def load(kind: str, name: str | Path = "") -> nn.Module: ...
def load(kind: str, name: str | Path = "") -> nn.Module:
    """Load a trained network, in evaluation mode and with weights that do not train.

    Args:
        kind: what the network is for: a key of `NETWORKS`, such as `speech-encoder`.
        name: bundled weights, or a folder that `facetalk train` wrote; the bundled ones of this kind if empty.

    Returns:
        The network, in single precision on the CPU.

    Raises:
        UsageError: there is no such kind.
        MissingAssetError: there are no such weights.
        FacetalkError: the folder holds another kind of network, or its description is incomplete.

    Example:
        >>> encoder = load("speech-encoder")
        >>> features = encoder.encode(read_waveform("speech.wav"))
    """
    folder, entries = describe(kind, name)
    known = {network.method: network for network in NETWORKS[kind]}
    if str(entries.get("method")) not in known:
        raise FacetalkError(f"{folder} was made by {entries.get('method')!r}; known for {kind}: {', '.join(known)}")
    chosen = known[entries["method"]]
    state = read_state(folder)
    build_network, config_type = chosen.classes()
    try:
        chosen.check_sizes(entries)
        config = build(config_type, entries["network"], f"{folder / CONFIG_FILE}: network")
        # Twice, because weights that are normalized are registered as they are first.
        with at_most(2 * sum(value.numel() for value in state.values())):
            network = build_network(config=config, **{key: _size(key, entries[key]) for key in chosen.inputs})
    except KeyError as error:
        raise FacetalkError(
            f"{folder / CONFIG_FILE} does not describe weights of the kind {kind}: {error} is missing"
        ) from None
    except UsageError as error:  # nobody typed these options
        raise FacetalkError(str(error)) from None
    except (TypeError, ValueError, RuntimeError, ArithmeticError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise FacetalkError(
            f"{folder / CONFIG_FILE} does not describe weights of the kind {kind}: {reason:.200}"
        ) from None
    try:
        network.load_state_dict(state)
        chosen.check_statistics(state)
    except ValueError as error:
        raise FacetalkError(f"{folder / MODEL_FILE} holds implausible statistics: {error}") from None
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise FacetalkError(f"{folder / MODEL_FILE} does not fit its {CONFIG_FILE}: {reason:.200}") from None
    return frozen(network)


def _size(name: str, value: object) -> int:
    if not isinstance(value, int) or not 1 <= value <= _LARGEST_SIZE:
        raise ValueError(f"{name} is {value!r:.40}, not a size")
    return value


def load_speech(name: str) -> SpeechFeatures:
    """Load a source of speech features: `pocketsphinx`, or a speech encoder by name or folder."""
    if name == POCKETSPHINX:
        from facetalk.audio.phoneme_features import PhonemeFeatures

        return PhonemeFeatures()
    return load("speech-encoder", name)


def load_lip_reader(name: str | Path = "") -> LipReader:
    """Load a lip reader for SPECTRE's lip-reading loss.

    Args:
        name: as in `load`, or a file of published weights.
    """
    if Path(name).is_file():
        from facetalk.io.published import read_published
        from facetalk.networks.published import published_lip_reader

        return frozen(published_lip_reader(read_published(Path(name))))
    return load("lip-reader", name)


def load_expression_net(name: str | Path = "") -> ExpressionReader:
    """Load an expression network for SPECTRE's emotion loss; `name` as in `load_lip_reader`."""
    if Path(name).is_file():
        from facetalk.io.published import read_published
        from facetalk.networks.published import published_expression_net

        return frozen(published_expression_net(read_published(Path(name))))
    return load("expression-net", name)


def load_face_encoder(name: str | Path = "") -> FaceEncoder:
    """Load SPECTRE: a perceptual encoder as `load` does, and the coarse encoder that its description names."""
    from facetalk.networks.face_encoder import FaceEncoder

    perceptual = load("perceptual-encoder", name)
    coarse = load("coarse-encoder", describe("perceptual-encoder", name).entries.get("coarse", ""))
    encoder = FaceEncoder(perceptual.config)
    encoder.coarse.load_state_dict(coarse.state_dict())
    encoder.perceptual.load_state_dict(perceptual.state_dict())
    return frozen(encoder)


def weights_folder(name: str | Path) -> Path:
    """Find a folder of trained weights, or the bundled one of that name.

    Raises:
        MissingAssetError: there are none of that name.
        FacetalkError: the folder is that of a run that has written no weights.
    """
    folder = Path(name)
    if str(name) and (folder / MODEL_FILE).is_file():
        return folder
    if str(name) and folder.is_dir() and not is_bundled(str(name)):
        raise FacetalkError(f"{folder} holds no trained network: it has no {MODEL_FILE}; {completing(folder)}")
    return bundled(str(name))
