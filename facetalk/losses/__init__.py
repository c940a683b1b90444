"""Losses: differentiable functions of tensors."""
