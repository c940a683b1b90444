"""Programs that produce the bundled weights; not part of the installed package."""
