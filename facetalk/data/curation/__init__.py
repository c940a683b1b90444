"""Selection of the spans of a video that are worth training on."""
