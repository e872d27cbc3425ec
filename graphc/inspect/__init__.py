"""Seeing the compiler: explanations, comparisons, dumps. Thin readers of what plans know."""
