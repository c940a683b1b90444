"""The program that builds the bundled head."""
