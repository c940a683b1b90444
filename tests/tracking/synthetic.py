"""A head whose only vertices are the detector's points, and what a detector would see of it."""

from __future__ import annotations

import torch
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.landmarks import MESH_LEFT_IRIS, MESH_RIGHT_IRIS
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.gaze import channels_to_gaze
from facetalk.head.model import HeadModel
from facetalk.head.surface_points import SurfacePoints
from facetalk.tracking.energy import Observation, State
from facetalk.tracking.face_basis import FaceBasis, reduce_head
from facetalk.tracking.observation import observe

IMAGE_SIZE = (640, 480)
EYE = {"left": torch.tensor([0.0315, 0.0, -0.005]), "right": torch.tensor([-0.0315, 0.0, -0.005])}
IRIS_DEPTH = 0.0105


def _places(generator: torch.Generator) -> Tensor:
    """Points spread over the front of an ellipsoid; those with a meaning where they belong."""
    angle = torch.rand(478, generator=generator) * 2 * torch.pi
    radius = torch.rand(478, generator=generator).sqrt()
    positions = torch.stack([0.07 * radius * angle.cos(), -0.03 + 0.09 * radius * angle.sin(), torch.zeros(478)], 1)
    known = {33: (-0.0445, 0), 263: (0.0445, 0), 133: (-0.018, 0), 362: (0.018, 0), 159: (-0.0315, 0.005),
             145: (-0.0315, -0.005), 386: (0.0315, 0.005), 374: (0.0315, -0.005), 13: (0, -0.068), 14: (0, -0.070),
             61: (-0.025, -0.069), 291: (0.025, -0.069), 152: (0, -0.112), 168: (0, 0.005)}  # fmt: skip
    for number, (x, y) in known.items():
        positions[number, :2] = torch.tensor([x, y])
    bulge = 1 - (positions[:, 0] / 0.09) ** 2 - ((positions[:, 1] + 0.03) / 0.11) ** 2
    positions[:, 2] = 0.06 * bulge.clamp_min(0).sqrt() - 0.03
    for first, side in ((MESH_RIGHT_IRIS, "right"), (MESH_LEFT_IRIS, "left")):
        positions[first : first + 5] = EYE[side] + torch.tensor([0, 0, IRIS_DEPTH])
    return positions


def make_point_head(num_betas: int = 4, seed: int = 0) -> HeadModel:
    """Channels are smooth bumps of skin at random positions; `eyeBlink*` closes the lids, `jawOpen` parts the lips."""
    generator = torch.Generator().manual_seed(seed)
    template = _places(generator)
    dirs = torch.zeros(len(ARKIT_NAMES), 478, 3)
    for row in range(len(ARKIT_NAMES)):
        center = template[int(torch.randint(0, 468, (1,), generator=generator))]
        bump = torch.exp(-((template - center) ** 2).sum(1) / (2 * 0.018**2))
        direction = torch.nn.functional.normalize(
            torch.randn(3, generator=generator) * torch.tensor([1, 1, 0.4]), dim=0
        )
        dirs[row] = 0.008 * bump[:, None] * direction
    for name, upper in (("eyeBlinkRight", 159), ("eyeBlinkLeft", 386)):
        bump = torch.exp(-((template - template[upper]) ** 2).sum(1) / (2 * 0.005**2))
        dirs[ARKIT_NAMES.index(name)] = bump[:, None] * torch.tensor([0, -0.010, 0])
    bump = torch.sigmoid((-0.069 - template[:, 1]) / 0.0005)
    dirs[ARKIT_NAMES.index("jawOpen")] = bump[:, None] * torch.tensor([0, -0.03, 0])
    dirs[ARKIT_NAMES.index("tongueOut")] = 0
    for name in ARKIT_NAMES:
        if name.startswith("eyeLook"):
            dirs[ARKIT_NAMES.index(name)] *= 0.2
    dirs[:, 468:] = 0
    weights = torch.zeros(478, 5)
    weights[:468, 1], weights[468:473, 4], weights[473:, 3] = 1, 1, 1
    joints = torch.stack([torch.tensor([0, -0.2, -0.09]), torch.tensor([0, -0.13, -0.09]), torch.tensor([0, 0, -0.07]),
                          EYE["left"], EYE["right"]])  # fmt: skip
    wave = torch.sin(template @ (torch.randn(3, num_betas, generator=generator) * 25)).T[..., None]
    shape = 0.003 * wave * torch.randn(num_betas, 1, 3, generator=generator)
    shape[:, 468:] = 0
    order = torch.arange(478)
    corner = torch.tensor([1.0, 0, 0]).repeat(478, 1)
    at_vertices = SurfacePoints(order[:, None].repeat(1, 3), corner)
    # One triangle a point, facing forward, gives every point a normal.
    return HeadModel(
        HeadAssets(
            name="points",
            shape=HeadShape(
                template=template,
                identity_dirs=shape,
                identity_names=tuple(f"shape{i}" for i in range(num_betas)),
                expression_dirs=dirs,
                expression_names=ARKIT_NAMES,
                faces=_front_faces(template),
                joints=joints,
                joint_identity_dirs=torch.zeros(num_betas, 5, 3),
                skin_weights=weights,
            ),
            points=HeadPoints(
                landmarks=SurfacePoints(at_vertices.triangles[:68], corner[:68]),
                mediapipe=at_vertices,
                mediapipe_ids=order,
                regions={},
            ),
            appearance=HeadAppearance(
                colors=torch.ones(478, 3),
                gloss=torch.zeros(478, 2),
                uv_coords=torch.zeros(1, 2),
                uv_faces=torch.zeros(len(_front_faces(template)), 3, dtype=torch.long),
            ),
        )
    )


def _front_faces(template: Tensor) -> Tensor:
    """A triangle of three neighbors for every point, counter-clockwise from the front."""
    near = torch.cdist(template[:, :2], template[:, :2]).topk(6, largest=False).indices
    faces = torch.stack([near[:, 0], near[:, 2], near[:, 5]], 1)
    a, b, c = (template[faces[:, i], :2] for i in range(3))
    turned = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0
    faces[turned] = faces[turned][:, [0, 2, 1]]
    return faces


def make_camera(focal: float = 768.0) -> Camera:
    """The camera that the fit assumes for images of `IMAGE_SIZE`."""
    width, height = IMAGE_SIZE
    return Camera(torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]), IMAGE_SIZE)


def see(head: HeadModel, expression: Tensor, turn: Tensor, transl: Tensor, betas: Tensor) -> Tensor:
    """The detector's points (frames, 478, 3) of a head that looks where its `eyeLook*` channels say."""
    leye_pose, reye_pose = channels_to_gaze(expression)
    still = torch.zeros_like(turn)
    poses = torch.stack([turn, still, still, leye_pose, reye_pose], 1)
    points = head(expression, poses, transl, betas)
    camera = make_camera()
    focal = camera.K[0, 0]
    depth = -points[..., 2]
    across = points[..., :2] / depth[..., None] * focal * torch.tensor([1.0, -1.0]) + camera.K[:2, 2]
    distance = depth[:, :468].mean(1, keepdim=True)
    return torch.cat([across, ((depth - distance) * focal / distance)[..., None]], -1)


def swaying(num_frames: int) -> tuple[Tensor, Tensor]:
    """A head that nods, turns and drifts a little: rotation and translation."""
    t = torch.arange(num_frames) / 30
    turn = torch.stack([0.10 * (2.1 * t).sin(), 0.20 * (1.3 * t).cos(), 0.05 * (1.7 * t).sin()], 1)
    transl = torch.stack([0.02 * (0.9 * t).sin(), 0.05 + 0.01 * t.cos(), -0.75 + 0.03 * (0.7 * t).sin()], 1)
    return turn, transl


def noisy_start(num_frames: int, generator: torch.Generator) -> tuple[FaceBasis, Observation, State]:
    """A toy head, what a detector with errors of a pixel sees of it, and a state somewhat beside the truth."""
    head = make_point_head()
    turn, transl = swaying(num_frames * 20)
    expression = 0.4 * torch.rand(num_frames, 52, generator=generator)
    points = see(head, expression, turn[::20], transl[::20], torch.zeros(4))
    basis = reduce_head(head)
    seen, state = observe(points + torch.randn(points.shape, generator=generator), make_camera(), basis)
    return basis, seen, State(state.rotation + 0.02, state.position + 0.003, state.channels)
