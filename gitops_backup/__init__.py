"""gitops-backup: images from a registry that its owner controls, and Git that says so."""

__version__ = "0.1.0"
