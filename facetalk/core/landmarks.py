"""Landmark indices by name: the 68-point layout of iBUG and the face mesh of MediaPipe.

Names begin with their layout. `IBUG_*` are 0-based indices of the 68-point layout (Sagonas et al. 2013), which starts
at the subject's right ear. `MESH_*` are indices of MediaPipe's mesh (Kartynnik et al. 2019): 468 points of the skin,
then five of each iris. Left and right are the subject's.
"""

from __future__ import annotations

Pairs = tuple[tuple[int, int], ...]

# The 68-point layout.

NUM_IBUG = 68
IBUG_JAWLINE = tuple(range(0, 17))
IBUG_BROWS = tuple(range(17, 27))
IBUG_NOSE = tuple(range(27, 36))
IBUG_EYES = tuple(range(36, 48))
IBUG_OUTER_LIPS = tuple(range(48, 60))
IBUG_INNER_LIPS = tuple(range(60, 68))
IBUG_MOUTH = IBUG_OUTER_LIPS + IBUG_INNER_LIPS

IBUG_MOUTH_SLICE = slice(48, 68)
IBUG_INNER_FACE_SLICE = slice(17, 68)
"""Everything but the jaw line."""

IBUG_OUTER_EYE_CORNERS = (36, 45)
"""Of the right and the left eye; their distance is the inter-ocular unit."""
IBUG_EYE_CORNERS = (36, 39, 42, 45)
IBUG_MOUTH_CORNERS = (48, 54)
IBUG_OUTER_LIP_CENTERS = (51, 57)
"""Upper and lower."""
IBUG_JAW_ANGLES = (5, 6, 10, 11)
"""The curve of the jaw between chin and cheek, right and left."""
IBUG_CHIN = 8
IBUG_NASION = 27
IBUG_NOSE_TIP = 30
IBUG_NOSE_BRIDGE = (27, 28, 29, 30)
IBUG_NOSE_BASE = (31, 33, 35)
"""Both nostrils and the point between them."""
IBUG_NOSE_TIP_AND_NOSTRILS = (30, 31, 35)
IBUG_RIGID = IBUG_NOSE_BRIDGE + IBUG_EYE_CORNERS
"""Hardly moved by any expression: two heads are laid over each other here."""
IBUG_RIGID_IN_SPEECH = IBUG_NOSE_BRIDGE + IBUG_NOSE_BASE + IBUG_EYE_CORNERS
"""Hardly moved by speech."""

IBUG_UPPER_INNER_LIP = (61, 62, 63)
IBUG_LOWER_INNER_LIP = (67, 66, 65)
"""The points below `IBUG_UPPER_INNER_LIP`."""

IBUG_LIP_CLOSURE_PAIRS: Pairs = ((61, 67), (62, 66), (63, 65), (50, 58), (51, 57), (52, 56))
"""Opposite points of upper and lower lip: their difference says whether the lips are closed."""
IBUG_LID_CLOSURE_PAIRS: Pairs = ((37, 41), (38, 40), (43, 47), (44, 46))

IBUG_LIP_SHAPE_PAIRS: Pairs = ((48, 54), (60, 64), (61, 67), (62, 66), (63, 65))
"""Points of the lips whose distances say how wide and how open the mouth is."""
IBUG_MOUTH_SHAPE_PAIRS: Pairs = ((57, 8), (51, 33), *IBUG_LIP_SHAPE_PAIRS)
"""The same, with the distances of the lower lip from the chin and of the upper lip from the nose first."""

# fmt: off
IBUG_MIRRORED = (
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 27, 28, 29, 30,
    35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
    64, 63, 62, 61, 60, 67, 66, 65,
)
"""The landmark of the other side."""

IBUG_FROM_MEDIAPIPE = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71, 63, 105, 66, 107, 336,
    296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373,
    380, 61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)
"""The point of MediaPipe's mesh that stands for each of the 68 landmarks."""

# MediaPipe's mesh.

NUM_MESH_POINTS = 478
NUM_MESH_SKIN_POINTS = 468
MESH_RIGHT_IRIS, MESH_LEFT_IRIS = 468, 473
"""Centers of the irises; four points of the rim follow each."""

MESH_OUTER_EYE_CORNERS = (33, 263)
"""Of the right and the left eye; their distance is the inter-ocular unit."""
MESH_RIGHT_EYE_CORNERS = (33, 133)
MESH_LEFT_EYE_CORNERS = (362, 263)
MESH_INNER_EYE_CORNERS = (133, 362)
"""Of the right and the left eye."""
MESH_RIGHT_LID_CENTERS = (159, 145)
"""Upper and lower lid."""
MESH_LEFT_LID_CENTERS = (386, 374)
MESH_INNER_LIP_CENTERS = (13, 14)
MESH_OUTER_LIP_CENTERS = (0, 17)
MESH_MOUTH_CORNERS = (61, 291)
MESH_TEMPLE_SIDES = (234, 454)
"""Where the silhouette of a frontal face is widest, right and left."""
MESH_FOREHEAD, MESH_NASION, MESH_NOSE_BASE, MESH_CHIN = 10, 168, 2, 152

MESH_OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
MESH_INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
MESH_RED_OF_LIPS = (
    62, 76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 292, 408, 304, 303, 302, 11, 72, 73, 74, 184, 183,
    96, 89, 179, 86, 15, 316, 403, 319, 325, 407, 272, 271, 268, 12, 38, 41, 42,
)
"""Between the inner and the outer contour of the lips."""
MESH_RIGHT_LIDS = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
"""Around the eye from the outer corner over the upper lid."""
MESH_LEFT_LIDS = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
MESH_RIGHT_UPPER_LID = MESH_RIGHT_LIDS[:9]
MESH_RIGHT_LOWER_LID = (MESH_RIGHT_LIDS[0], *MESH_RIGHT_LIDS[:7:-1])
MESH_LEFT_UPPER_LID = MESH_LEFT_LIDS[8::-1]
MESH_LEFT_LOWER_LID = (*MESH_LEFT_LIDS[8:], MESH_LEFT_LIDS[0])
"""Both corners and opposite points of the lids between them, in the order of the image's columns."""
MESH_RIGHT_BROW_UPPER_EDGE = (70, 63, 105, 66, 107)
"""From the outer end inwards."""
MESH_RIGHT_BROW_LOWER_EDGE = (46, 53, 52, 65, 55)
MESH_BROWS = (
    *MESH_RIGHT_BROW_UPPER_EDGE, *MESH_RIGHT_BROW_LOWER_EDGE, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285,
)
MESH_NOSE = (1, 2, 4, 5, 6, 19, 94, 97, 98, 129, 168, 195, 197, 326, 327, 358, 48, 278, 64, 294, 45, 275, 220, 440)
MESH_SILHOUETTE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
    150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
"""The outline of the mesh."""
MESH_TEMPLES = (127, 234, 93, 162, 21, 356, 454, 323, 389, 251, 34, 264, 227, 447, 139, 368, 71, 301, 143, 372)
MESH_RIGID = (33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 129, 358, 127, 356, 10, 109, 338)
"""Eye corners, nose bridge, temples and forehead: speech hardly moves them."""
MESH_UPPER_SKIN = (
    10, 151, 9, 108, 337, 69, 299, 67, 297, 50, 280, 101, 330, 36, 266, 117, 346, 4, 195, 197, 168, 6,
)
"""Forehead, nose and upper cheeks."""
MESH_LOWER_SKIN = (152, 199, 200, 175, 148, 377, 205, 425, 187, 411, 164, 18, 83, 313, 210, 430)
"""Around the mouth and on the chin."""

MESH_RIGHT_EYE_RINGS = (
    MESH_RIGHT_LIDS,
    (130, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25),
    (226, 113, 225, 224, 223, 222, 221, 189, 244, 233, 232, 231, 230, 229, 228, 31),
)
"""Contours around the right eye, outwards from its opening, each from the outer corner over the upper lid."""
MESH_RIGHT_UPPER_LID_FOLD = MESH_RIGHT_EYE_RINGS[1][:8]
MESH_RIGHT_UNDER_EYE = (110, 24, 23, 22, 26)
MESH_RIGHT_MOUTH_RINGS = (
    (13, 82, 81, 80, 191, 78, 95, 88, 178, 87, 14),
    (12, 38, 41, 42, 183, 62, 96, 89, 179, 86, 15),
    (11, 72, 73, 74, 184, 76, 77, 90, 180, 85, 16),
    (0, 37, 39, 40, 185, 61, 146, 91, 181, 84, 17),
    (164, 167, 165, 92, 186, 57, 43, 106, 182, 83, 18),
)
"""Right half of the contours around the mouth, outwards, each from the upper midline around the corner to the lower."""
MESH_RIGHT_LIP_OUTLINE = MESH_RIGHT_MOUTH_RINGS[3]
MESH_RIGHT_JAWLINE = (152, 148, 176, 149, 150, 136, 172, 58, 132)
"""From the chin up to the ear."""

MESH_LIP_GAPS: Pairs = (
    (13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318), (191, 95), (415, 324),
)
"""Opposite points of the inner lips."""
MESH_LIP_SHAPE_PAIRS: Pairs = (
    (0, 17), (37, 84), (267, 314), (61, 291), (78, 308), (0, 13), (14, 17), (40, 270), (91, 321),
)
"""Height, width and thickness of the lips."""
MESH_LID_GAPS: Pairs = (
    (159, 145), (158, 153), (160, 144), (157, 154), (161, 163),
    (386, 374), (385, 380), (387, 373), (384, 381), (388, 390),
)
MESH_BROW_GAPS: Pairs = ((105, 159), (66, 158), (107, 133), (70, 33), (334, 386), (296, 385), (336, 362), (300, 263))
"""From brow to eye."""
MESH_JAW_GAPS: Pairs = ((2, 0), (168, 152), (17, 200), (61, 129), (291, 358), (61, 133), (291, 362))
"""From the lower face to parts of the face that speech does not move."""
# fmt: on
