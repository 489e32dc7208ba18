"""Faces: found, followed, given landmarks, cropped."""
