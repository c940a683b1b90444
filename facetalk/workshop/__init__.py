"""Programs that produce the bundled weights and the figures in their cards; not part of the installed package."""
