"""The shading of `shading.py` as GLSL, with its constants filled in: for OpenGL, and for WebGL in a browser."""

from __future__ import annotations

from facetalk.rendering.color import BRIGHTEST, SHOULDER
from facetalk.rendering.lights import Studio
from facetalk.rendering.shading import BLEED

VERTEX_SHADER = """#version 330 core
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec4 tangent;
layout(location = 3) in vec2 texcoord_0;
layout(location = 4) in vec4 color_0;
uniform mat4 P;
out vec3 point;
out vec3 facing;
out vec4 material_look;
out vec2 uv;
out vec3 albedo;
void main() {
    gl_Position = P * vec4(position, 1.0);
    point = position;
    facing = normal;
    material_look = tangent;
    uv = texcoord_0;
    albedo = color_0.rgb;
}
"""

WEB_VERTEX_SHADER = """#version 300 es
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec4 tangent;
layout(location = 3) in vec2 texcoord_0;
layout(location = 4) in vec3 color_0;
uniform mat4 V;
uniform mat4 P;
out vec3 point;
out vec3 facing;
out vec4 material_look;
out vec2 uv;
out vec3 albedo;
void main() {
    vec4 seen = V * vec4(position, 1.0);
    gl_Position = P * seen;
    point = seen.xyz;
    facing = mat3(V) * normal;
    material_look = tangent;
    uv = texcoord_0;
    albedo = color_0;
}
"""

_FRAGMENT_SHADER = """VERSION
struct Material { sampler2D base_color_texture; };
uniform Material material;
in vec3 point;
in vec3 facing;
in vec4 material_look;
in vec2 uv;
in vec3 albedo;
out vec4 frag_color;

vec3 linear(vec3 c) { return mix(c / 12.92, pow((max(c, 0.04045) + 0.055) / 1.055, vec3(2.4)), step(0.04045, c)); }
vec3 srgb(vec3 c) {
    return mix(c * 12.92, 1.055 * pow(max(c, 0.0031308), vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}
vec3 tone(vec3 c) {
    vec3 rolled = 1.0 - (1.0 - SHOULDER) * exp(-(max(c, SHOULDER) - SHOULDER) / (1.0 - SHOULDER));
    return mix(c, rolled, step(SHOULDER, c));
}
LOOKUP
void add(vec3 n, vec3 v, vec3 direction, vec3 color, float soft, float highlight,
         inout vec3 diffuse, inout vec3 shine) {
    float lit = dot(n, direction);
    vec3 wrap = soft + material_look.z * BLEED;
    diffuse += color * max(lit + wrap, 0.0) / ((1.0 + wrap) * (1.0 + wrap));
    float lobe = max(1.0 - material_look.y * (1.0 - dot(n, normalize(direction + v))) / 64.0, 0.0);
    shine += color * pow(lobe, 64.0) * highlight * clamp(8.0 * lit, 0.0, 1.0);
}
void main() {
    vec3 n = normalize(facing);
    vec3 v = normalize(-point);
    vec3 diffuse = mix(GROUND, SKY, 0.5 + 0.5 * n.y);
    vec3 shine = vec3(0.0);
    LIGHTS
    float grazing = 1.0 - clamp(dot(n, v), 0.0, 1.0);
    float gloss = material_look.x * (1.0 + 2.0 * grazing * grazing * grazing * grazing);
    vec3 base = albedo;
    TEXTURE
    vec3 light = clamp(material_look.w * (base * diffuse + gloss * shine), 0.0, BRIGHTEST);
    frag_color = vec4(srgb(tone(light)), 1.0);
}
"""

_LOOKUP = """vec3 texel(ivec2 at, ivec2 size) {
    return linear(texelFetch(material.base_color_texture, clamp(at, ivec2(0), size - 1), 0).rgb);
}
vec3 texture_color() {
    ivec2 size = textureSize(material.base_color_texture, 0);
    vec2 at = clamp(uv * vec2(size) - 0.5, vec2(0.0), vec2(size - 1));
    ivec2 corner = ivec2(floor(at));
    vec2 part = at - vec2(corner);
    vec3 below = mix(texel(corner, size), texel(corner + ivec2(1, 0), size), part.x);
    vec3 above = mix(texel(corner + ivec2(0, 1), size), texel(corner + ivec2(1, 1), size), part.x);
    return mix(below, above, part.y);
}
"""

_WEB_LOOKUP = """vec3 texture_color() { return texture(material.base_color_texture, uv).rgb; }
"""


def fragment_shader(studio: Studio, textured: bool) -> str:
    """The fragment shader for one studio."""
    return _filled(studio, "#version 330 core", _LOOKUP if textured else "", textured)


def web_fragment_shader(studio: Studio, textured: bool) -> str:
    """The fragment shader for one studio, for WebGL 2 and a texture that is stored as sRGB with its smaller copies."""
    version = "#version 300 es\nprecision highp float;"
    return _filled(studio, version, _WEB_LOOKUP if textured else "", textured)


def _filled(studio: Studio, version: str, lookup: str, textured: bool) -> str:
    lights = [
        f"add(n, v, {_vector(light.direction)}, {_vector(light.color)}, {light.softness:.6f}, "
        f"{light.highlight:.6f}, diffuse, shine);"
        for light in studio.lights
    ]
    values = {
        "VERSION": version,
        "LOOKUP": lookup,
        "LIGHTS": "\n    ".join(lights),
        "TEXTURE": "base *= texture_color();" if textured else "",
        "BLEED": _vector(BLEED),
        "GROUND": _vector(studio.ground),
        "SKY": _vector(studio.sky),
        "SHOULDER": f"{SHOULDER:.6f}",
        "BRIGHTEST": f"{BRIGHTEST:.6f}",
    }
    text = _FRAGMENT_SHADER
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _vector(values: tuple[float, float, float]) -> str:
    return "vec3({:.6f}, {:.6f}, {:.6f})".format(*values)
