"""From Samples to Batches."""
