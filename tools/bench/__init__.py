"""Benchmarks beside other frameworks. Programs: peers, run, report, compare, steps, losses.

works/ has the data, references and models in NumPy; peer_*.py the same work in each framework,
imported only in that framework's own process (worker.py); rows.py what is wanted.
"""
