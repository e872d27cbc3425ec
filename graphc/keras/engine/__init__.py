"""Layers, models and their training. Imports keras.core, tf1 and ops."""
