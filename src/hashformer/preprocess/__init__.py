"""From media files to Samples."""
