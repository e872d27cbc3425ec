"""Typed errors: TensorFlow 1's hierarchy (tf.errors.*) and graphc's own.

Lives here: the classes and their codes. Not here: finding the user's line (ir/source.py).
Every module may import this one; it imports nothing of graphc.
"""

from __future__ import annotations

from typing import Any


class GraphcError(Exception):
    """Base of errors that are graphc's own, not TensorFlow's."""


class CompileError(GraphcError):
    """A kernel could not be generated or compiled; names the kernel and the ops in it."""


class ConfigError(GraphcError, ValueError):
    """A setting or an environment variable has a value that is not understood."""


class OpError(Exception):
    """Base of all errors that TF1 raises while running a graph.

    Attributes:
        node_def: the op as text, or None. op: the Operation, or None.
        message: the text without the op's origin. error_code: TF's number.
    """

    code_number = 2

    def __init__(
        self,
        node_def: Any = None,
        op: Any = None,
        message: str | None = None,
        error_code: int | None = None,
    ) -> None:
        if message is None and isinstance(node_def, str) and op is None:
            # errors raised inside graphc give the text alone
            node_def, message = None, node_def
        self.node_def = node_def
        self.op = op
        self.message = message or ""
        self.error_code = self.code_number if error_code is None else error_code
        super().__init__(self.message)

    @property
    def code(self) -> int:
        return self.error_code

    def __str__(self) -> str:
        return self.message


OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16


class CancelledError(OpError):
    code_number = CANCELLED


class UnknownError(OpError):
    code_number = UNKNOWN


class InvalidArgumentError(OpError, ValueError):
    """A value that an op cannot take. Also a ValueError, so that build-time checks read as TF's."""

    code_number = INVALID_ARGUMENT


class DeadlineExceededError(OpError):
    code_number = DEADLINE_EXCEEDED


class NotFoundError(OpError):
    code_number = NOT_FOUND


class AlreadyExistsError(OpError):
    code_number = ALREADY_EXISTS


class PermissionDeniedError(OpError):
    code_number = PERMISSION_DENIED


class UnauthenticatedError(OpError):
    code_number = UNAUTHENTICATED


class ResourceExhaustedError(OpError):
    code_number = RESOURCE_EXHAUSTED


class FailedPreconditionError(OpError):
    code_number = FAILED_PRECONDITION


class AbortedError(OpError):
    code_number = ABORTED


class OutOfRangeError(OpError):
    code_number = OUT_OF_RANGE


class UnimplementedError(OpError):
    code_number = UNIMPLEMENTED


class InternalError(OpError):
    code_number = INTERNAL


class UnavailableError(OpError):
    code_number = UNAVAILABLE


class DataLossError(OpError):
    code_number = DATA_LOSS
