"""Forgeries made from real clips, so that a detector can be trained on real video alone."""
