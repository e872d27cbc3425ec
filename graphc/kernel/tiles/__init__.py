"""Tiles: products and convolutions computed in blocks of registers.

Lives here: what a tile computes and how it is cut into blocks (pure, no LLVM). Not here: its text
(render/tile_*.py), its step (runtime/tiles.py). Fusion, render and the runtime import it.
"""
