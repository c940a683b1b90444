"""Speech corpora and teachers that the speech encoder is trained on."""
