"""Forges: where pull requests are opened, kept up to date, and closed.

Each kind of forge is one small class over the same few requests. What is pushed goes through Git; what is
asked here needs a token, which is sent to the forge's API alone.
"""
