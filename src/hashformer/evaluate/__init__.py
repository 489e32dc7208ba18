"""Scores of many files, and numbers from them that can be believed."""
