"""Which spans of a video are worth training on."""
