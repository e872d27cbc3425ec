"""What several tests of the tools are given."""

from __future__ import annotations

from typing import Any

from graphc.inspect.limits import Limits
from graphc.kernel.launch import H200
from graphc.runtime.gpu.device import Device

LIMITS = Limits(2, {"float32": 4e11, "float64": 2e11}, ((1 << 14, 4e11), (1 << 26, 4e10)))


class PaperDevice(Device):
    """A GPU on which nothing is computed: for what is said of plans before they run."""

    def __init__(self) -> None:
        super().__init__(0, H200, 1024)
        self.next = 1 << 20
        self.launched: list[str] = []

    def allocate(self, nbytes: int) -> int:
        self.next += nbytes
        return self.next - nbytes

    def release(self, address: int) -> None:
        """Nothing is held."""

    def memory(self) -> tuple[int, int]:
        return 100 << 30, 140 << 30

    def put(self, address: int, array: Any) -> None:
        """Nothing is kept."""

    def get(self, address: int, array: Any) -> None:
        array[...] = 0

    def get_all(self, pairs: Any) -> None:
        for _, array in pairs:
            array[...] = 0

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Nothing is moved."""

    def zero(self, address: int, nbytes: int) -> None:
        """Nothing is written."""

    def load(self, code: Any) -> Any:
        return code.name

    def launch(self, function: Any, shape: Any, words: Any, arguments: Any) -> None:
        self.launched.append(function)

    def capture(self, work: Any) -> Any:
        return work

    def replay(self, graph: Any) -> None:
        graph()

    def synchronize(self) -> None:
        """Nothing runs."""
