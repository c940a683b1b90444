"""Names of the vertex sets of every head."""

from __future__ import annotations

REGIONS: dict[str, str] = {
    "skin": "all facial, scalp and neck skin, lips and lids included",
    "lips": "red of the lips and a narrow rim around it",
    "upper_lip_inner": "inner rim of the upper lip, subject's right to left, paired with lower_lip_inner",
    "lower_lip_inner": "matching vertices of the lower lip",
    "mouth": "everything that speech moves: lips, skin around them, chin",
    "upper_face": "forehead, brows and the eye region",
    "eyes": "lids and the skin close around the eyes",
    "brows": "skin under the eyebrows",
    "left_eyeball": "the subject's left eyeball",
    "right_eyeball": "the subject's right eyeball",
    "upper_teeth": "upper teeth and gum",
    "lower_teeth": "lower teeth and gum",
    "tongue": "tongue",
    "neck": "neck and bust",
}
PAINT_REGIONS: dict[str, str] = {
    "irises": "both irises with their dark rims, without the pupils",
    "mouth_lining": "the inside of the mouth, from behind the lips to the throat",
}
"""Additional sets of heads that can be recolored, see `looks`."""
