"""How far from the target, for gradients."""
