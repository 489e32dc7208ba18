"""Answers as documents: JSON, HTML, pictures."""
