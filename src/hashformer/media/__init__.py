"""Media files in and out: the only place that decodes and encodes."""
