"""Runs inside Blender's Python (`bpy`): imports a character, reads its curves and renders a frame.

`python blender_script.py AVATAR.glb REQUEST.json RESULT.json`; not imported by the tests.
"""

import json
import sys
from pathlib import Path

import bpy  # pyright: ignore[reportMissingImports]

avatar, request, result = (Path(argument) for argument in sys.argv[-3:])
wanted = json.loads(request.read_text())
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = round(wanted["fps"])
bpy.ops.import_scene.gltf(filepath=str(avatar))

frames = []
for frame in wanted["frames"]:
    scene.frame_set(frame)
    weights = {}
    for item in bpy.data.objects:
        keys = getattr(item.data, "shape_keys", None)
        if keys is not None:
            weights[item.name] = {block.name: block.value for block in keys.key_blocks[1:]}
    bones = {}
    for item in bpy.data.objects:
        if item.type == "ARMATURE":
            for bone in item.pose.bones:
                turned = (item.matrix_world @ bone.matrix).to_quaternion()
                rest = (item.matrix_world @ bone.bone.matrix_local).to_quaternion()
                bones[bone.name] = list(turned @ rest.inverted())
    frames.append({"weights": weights, "bones": bones})
answer = {"version": bpy.app.version_string, "frames": frames, "actions": [action.name for action in bpy.data.actions]}
if wanted.get("image"):
    scene.frame_set(wanted["shown"])
    low, high = wanted["view"]
    # glTF's y is Blender's z.
    low, high = (low[0], -high[2], low[1]), (high[0], -low[2], high[1])
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    extent = max(high[0] - low[0], high[2] - low[2])
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.45 * extent
    camera.location, camera.rotation_euler = (middle[0], low[1] - 3 * extent, middle[2]), (1.5707963, 0, 0)
    camera.data.clip_end = 100 * extent
    scene.collection.objects.link(camera)
    scene.camera = camera
    for angle, energy in (((0.9, 0.2, 0.5), 3.0), ((1.3, 0.0, -0.9), 1.2)):
        light = bpy.data.objects.new("light", bpy.data.lights.new("light", "SUN"))
        light.data.energy, light.rotation_euler = energy, angle
        scene.collection.objects.link(light)
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.device = 16, "CPU"
    scene.render.resolution_x = scene.render.resolution_y = wanted["size"]
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = wanted["image"]
    bpy.ops.render.render(write_still=True)
result.write_text(json.dumps(answer))
