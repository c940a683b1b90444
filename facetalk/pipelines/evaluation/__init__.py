"""What `evaluate` is made of: clips, what they offer, and what is found in them."""
