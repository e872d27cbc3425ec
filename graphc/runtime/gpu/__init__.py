"""Plans on NVIDIA GPUs: devices, memory that stays there, the walk of a plan's steps.

Nothing is imported here: numba-cuda and the driver are loaded by the first plan for a GPU.
"""
