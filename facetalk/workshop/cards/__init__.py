"""Programs that compute the figures in the model cards."""
