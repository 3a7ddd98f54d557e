"""The dry run as a document: one model, rendered in several forms."""
