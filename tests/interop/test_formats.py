"""Checksums, records, the wire and text forms of messages, Snappy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.errors import DataLossError
from graphc.interop import text_format
from graphc.interop.crc32c import crc32c, masked, unmasked
from graphc.interop.messages import AttrValue, CheckpointState, GraphDef, NodeDef, Summary
from graphc.interop.snappy import decompress
from graphc.interop.table import read_table, write_table
from graphc.interop.tfrecord import frame, read_records
from graphc.interop.wire import DecodeError


def slow_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_crc32c_of_the_standard_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("size", [0, 1, 4, 63, 64, 1023, 1024, 1025, 1027, 4097, 70001])
def test_crc32c_is_the_same_by_pieces_and_by_bits(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert crc32c(data) == slow_crc(data)
    assert crc32c(data[size // 3 :], crc32c(data[: size // 3])) == crc32c(data)


def test_crc32c_by_lanes_continues_that_by_pieces() -> None:
    data = np.random.default_rng(0).integers(0, 256, (1 << 19) + 5000, np.uint8)
    assert crc32c(data[70000:], crc32c(data[:70000])) == crc32c(data)


def test_mask_is_undone() -> None:
    for value in (0, 1, 0xDEADBEEF, 0xFFFFFFFF):
        assert unmasked(masked(value)) == value


def test_records_come_back_and_damage_is_found() -> None:
    data = frame(b"one") + frame(b"") + frame(b"three" * 1000)
    assert list(read_records(io.BytesIO(data))) == [b"one", b"", b"three" * 1000]
    damaged = bytearray(data)
    damaged[13] ^= 1
    with pytest.raises(DataLossError, match="corrupted record at 0"):
        list(read_records(io.BytesIO(bytes(damaged))))
    with pytest.raises(DataLossError, match="truncated record at 35"):
        list(read_records(io.BytesIO(data[:-1])))


def some_graph() -> GraphDef:
    graph = GraphDef()
    graph.versions.producer = 27
    node = graph.node.add(name="x", op="Placeholder", input=["a", "^b"])
    node.attr["dtype"].type = 1
    node.attr["shape"].shape.dim.add(size=-1)
    node.attr["ints"].list.i.extend([1, -2, 1 << 40])
    node.attr["none"].list.SetInParent()
    node.attr["text"].s = b'quote " and \x00\xff \n'
    node.attr["rate"].f = 0.1
    node.attr["off"].b = False
    node.attr["zero"].i = 0
    return graph


def test_messages_survive_bytes_and_text() -> None:
    graph = some_graph()
    assert GraphDef.FromString(graph.SerializeToString()) == graph
    text = text_format.MessageToString(graph)
    assert "type: DT_FLOAT" in text and "f: 0.1\n" in text
    assert text_format.Parse(text, GraphDef()) == graph


def test_a_set_zero_of_a_oneof_is_kept_and_a_default_is_not_written() -> None:
    attr = AttrValue.FromString(some_graph().node[0].attr["zero"].SerializeToString())
    assert attr.WhichOneof("value") == "i" and attr.HasField("i")
    attr.b = True
    assert attr.WhichOneof("value") == "b"
    assert NodeDef(name="").SerializeToString() == b""


def test_unknown_fields_are_kept() -> None:
    class_bytes = b"\x98\x06\x05"  # field 99, a varint
    node = NodeDef.FromString(NodeDef(name="x").SerializeToString() + class_bytes)
    assert node.name == "x"
    assert node.SerializeToString().endswith(class_bytes)


def test_wrong_values_and_fields_are_refused() -> None:
    with pytest.raises(TypeError, match="expected str"):
        NodeDef(name=3)
    with pytest.raises(AttributeError, match='no field "nam"'):
        NodeDef().nam = "x"
    with pytest.raises(AttributeError, match='repeated field "input"'):
        NodeDef().input = ["a"]
    with pytest.raises(ValueError, match='has no "nam" field'):
        NodeDef(nam="x")
    with pytest.raises(DecodeError):
        GraphDef.FromString(b"\x0a\xff")
    with pytest.raises(text_format.ParseError, match=r'1: .* no field named "oops"'):
        text_format.Parse("oops: 1", NodeDef())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_give_a_decode_error_or_a_message(data: bytes) -> None:
    try:
        message = GraphDef.FromString(data)
    except DecodeError:
        return
    assert GraphDef.FromString(message.SerializeToString()) == message


def test_text_of_a_state_file() -> None:
    text = 'model_checkpoint_path: "m-1"\n# words\nall_model_checkpoint_paths: "m-0" ' "'x'\n"
    state = text_format.Parse(text, CheckpointState())
    assert state.model_checkpoint_path == "m-1"
    assert list(state.all_model_checkpoint_paths) == ["m-0x"]


def test_copies_are_independent() -> None:
    one = Summary(value=[Summary.Value(tag="a", simple_value=1.5)])
    two = Summary()
    two.CopyFrom(one)
    two.value[0].tag = "b"
    two.value.add(tag="c", simple_value=2)
    assert [v.tag for v in one.value] == ["a"] and len(two.value) == 2


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.binary(max_size=12), st.binary(max_size=30), max_size=60))
def test_tables_give_back_what_they_got(items: dict[bytes, bytes]) -> None:
    assert read_table(write_table(items)) == items


def test_a_table_of_many_blocks_and_its_damage() -> None:
    items = {b"key%06d" % i: b"v" * 40 for i in range(12000)}
    data = write_table(items)
    assert read_table(data) == items
    damaged = bytearray(data)
    damaged[1000] ^= 4
    with pytest.raises(DataLossError, match="checksum"):
        read_table(bytes(damaged))
    with pytest.raises(DataLossError, match="bad magic"):
        read_table(data[:-1])


def test_snappy_literals_and_copies() -> None:
    # "abcd", then 12 bytes from 4 back (overlapping), then a literal
    block = bytes([18, 3 << 2]) + b"abcd" + bytes([11 << 2 | 2, 4, 0, 1 << 2]) + b"yz"
    assert decompress(block) == b"abcd" * 4 + b"yz"
    assert decompress(bytes([9, 0]) + b"x" + bytes([4 << 2 | 1, 1])) == b"x" * 9
    with pytest.raises(DataLossError):
        decompress(bytes([9, 0]) + b"x" + bytes([4 << 2 | 1, 7]))
