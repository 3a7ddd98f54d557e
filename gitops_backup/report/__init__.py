"""The dry run as a document: one model, rendered as a table or as JSON."""
