"""Materials of a USD head: UsdPreviewSurface with textures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from facetalk.exporters.head_mesh import PARTS
from facetalk.exporters.part_textures import TexturedPart, is_plain
from facetalk.exporters.usd_text import asset

SCOPE = "/Head/Materials"
SHADERS = ("Color", "Roughness", "Normal")
TEXTURE_NAMES = tuple(f"{part}_{shader.lower()}.jpg" for part in PARTS for shader in SHADERS)
"""File names of all textures that a head can have."""


def texture_images(part: TexturedPart) -> dict[str, np.ndarray]:
    """Images of a part by the name of their shader; plain roughness needs none."""
    roughness = None if is_plain(part.roughness) else part.roughness
    images = zip(SHADERS, (part.color, roughness, part.relief), strict=True)
    return {shader: image for shader, image in images if image is not None}


def texture_name(part: TexturedPart, shader: str) -> str:
    """File name of one image."""
    return f"{part.name}_{shader.lower()}.jpg"


def materials(parts: tuple[TexturedPart, ...], folder: str) -> Iterator[str]:
    """The scope of materials.

    Args:
        parts: with their textures.
        folder: of the image files, relative to the layer.
    """
    yield '    def Scope "Materials"\n    {\n'
    for part in parts:
        images, here = texture_images(part), f"{SCOPE}/{part.name}"
        roughness = f"inputs:roughness = {part.roughness.flat[0] / 255:.3f}"
        if "Roughness" in images:
            roughness = f"inputs:roughness.connect = <{here}/Roughness.outputs:r>"
        relief = f"                normal3f inputs:normal.connect = <{here}/Normal.outputs:rgb>\n"
        yield f"""        def Material "{part.name}"
        {{
            token outputs:surface.connect = <{here}/Surface.outputs:surface>

            def Shader "Surface"
            {{
                uniform token info:id = "UsdPreviewSurface"
                color3f inputs:diffuseColor.connect = <{here}/Color.outputs:rgb>
                float {roughness}
                float inputs:metallic = 0
{relief if "Normal" in images else ""}                token outputs:surface
            }}

            def Shader "Place"
            {{
                uniform token info:id = "UsdPrimvarReader_float2"
                string inputs:varname = "st"
                float2 outputs:result
            }}
"""
        for shader in images:
            yield _texture(shader, f"{here}/Place", f"{folder}/{texture_name(part, shader)}")
        yield "        }\n"
    yield "    }\n"


def _texture(shader: str, place: str, path: str) -> str:
    space = "sRGB" if shader == "Color" else "raw"
    output = "float outputs:r" if shader == "Roughness" else "float3 outputs:rgb"
    unpacked = ""
    if shader == "Normal":  # from [0, 1] to [-1, 1]
        unpacked = "                float4 inputs:scale = (2, 2, 2, 1)\n"
        unpacked += "                float4 inputs:bias = (-1, -1, -1, 0)\n"
    return f"""
            def Shader "{shader}"
            {{
                uniform token info:id = "UsdUVTexture"
                asset inputs:file = {asset(path)}
                float2 inputs:st.connect = <{place}.outputs:result>
                token inputs:sourceColorSpace = "{space}"
                token inputs:wrapS = "clamp"
                token inputs:wrapT = "clamp"
{unpacked}                {output}
            }}
"""
