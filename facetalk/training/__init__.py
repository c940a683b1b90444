"""The training engine: loop, optimizer, checkpoints, log and device. It knows no method."""
