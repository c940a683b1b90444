"""Studio lighting that moves with the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Light:
    """A large distant light."""

    azimuth_deg: float
    """From the camera's axis towards the viewer's right; beyond 90 degrees the light is behind the face."""
    elevation_deg: float
    color: tuple[float, float, float]
    """Linear light reflected by a white surface facing the light."""
    softness: float = 0.1
    """How far its light wraps around a shape: 0 for a point light, about 0.5 for a light wall."""
    highlight: float = 1.0
    """Share of it that is visible in specular highlights."""

    @property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector towards the light in the camera's frame."""
        azimuth, elevation = math.radians(self.azimuth_deg), math.radians(self.elevation_deg)
        across = math.cos(elevation)
        return across * math.sin(azimuth), math.sin(elevation), across * math.cos(azimuth)


@dataclass(frozen=True)
class Studio:
    """All lights on a face."""

    lights: tuple[Light, Light, Light] = (
        Light(azimuth_deg=-34, elevation_deg=27, color=(0.86, 0.82, 0.77), softness=0.12),
        Light(azimuth_deg=36, elevation_deg=-10, color=(0.25, 0.26, 0.28), softness=0.4, highlight=0.5),
        Light(azimuth_deg=148, elevation_deg=32, color=(0.55, 0.58, 0.64), softness=0.0, highlight=0.6),
    )
    """Key, fill and rim."""
    sky: tuple[float, float, float] = (0.235, 0.245, 0.265)
    """Ambient light on a surface that faces up."""
    ground: tuple[float, float, float] = (0.15, 0.135, 0.125)
    """Ambient light on a surface that faces down."""

    def table(self) -> Float[np.ndarray, "5 8"]:
        """One row per light: direction, color, softness, highlight; the last two rows hold sky and ground."""
        rows = [(*light.direction, *light.color, light.softness, light.highlight) for light in self.lights]
        ambient = [(0.0, 0.0, 0.0, *color, 0.0, 0.0) for color in (self.sky, self.ground)]
        return np.array([*rows, *ambient], np.float32)
