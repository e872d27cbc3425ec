"""Symbolic gradients (gradients, hessians) and their numeric checks."""
