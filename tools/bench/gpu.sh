#!/bin/sh
# All of graphc's numbers on an NVIDIA GPU in one call: tools/bench/gpu.py, by a Python that has
# numba-cuda. Results lie in $OUT, or in gpu-results. Arguments are the program's.
set -u
cd "$(dirname "$0")/../.." || exit 2
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE NUMBA_ENABLE_CUDASIM
PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
check='import importlib.util as u, sys
wanted = ("numpy", "numba", "numba_cuda", "llvmlite", "networkx")
sys.exit(" ".join(n for n in wanted if u.find_spec(n) is None) or 0)'
for python in ${GRAPHC_BENCH_PYTHON:-python3 python}; do
    if missing=$("$python" -c "$check" 2>&1); then
        exec "$python" -u -m tools.bench.gpu "$@"
    fi
    echo "$python has not: $missing" >&2
done
echo 'pip install "graphc[cuda]" gives a Python what it needs; GRAPHC_BENCH_PYTHON names it' >&2
exit 2
