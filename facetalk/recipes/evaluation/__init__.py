"""What a trained network is worth, on data it was not trained on."""
