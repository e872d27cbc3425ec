"""Messages of object graphs: which object of a program owns which variable of a checkpoint.

Lives here: TrackableObjectGraph and its parts. Not here: other messages (messages.py). Imports the
wire format.
"""

from __future__ import annotations

from graphc.interop.wire import Message

__all__ = ["TrackableObjectGraph"]


class ObjectReference(Message):
    TABLE = """
        1 node_id int32
        2 local_name string
    """


class SerializedTensor(Message):
    TABLE = """
        1 name string
        2 full_name string
        3 checkpoint_key string
    """


class TrackableObject(Message):
    TABLE = """
        1 children *ObjectReference
        2 attributes *SerializedTensor
    """


class TrackableObjectGraph(Message):
    """The objects that own a checkpoint's variables; node 0 is the one that was saved."""

    TABLE = """
        1 nodes *TrackableObject
    """
