"""Metrics: functions of tensors, most with one number per frame and the unit in the name."""
