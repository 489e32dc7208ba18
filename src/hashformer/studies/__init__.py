"""Studies over many scores: robustness, transfer, ablation."""
