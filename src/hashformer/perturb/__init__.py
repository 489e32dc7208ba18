"""Known damage to picture and sound, at exact levels: the grids of robustness studies."""
