"""Ops on strings: values, shapes and errors as TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as tf

INVALID = tf.errors.InvalidArgumentError
GREAT = "größe"


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def run(fetches, feed_dict=None):
    with tf.Session() as sess:
        return sess.run(fetches, feed_dict)


def said(fetch):
    """Bytes, or a list of them."""
    got = run(fetch)
    return got.tolist() if isinstance(got, np.ndarray) else got


def rows(sparse):
    """The rows of a sparse tensor of strings."""
    got = run(sparse)
    out = [[] for _ in range(got.dense_shape[0])]
    for (row, column), value in zip(got.indices.tolist(), got.values.tolist(), strict=True):
        assert column == len(out[row])
        out[row].append(value)
    assert got.dense_shape[1] == max((len(r) for r in out), default=0)
    return out


# ------------------------------------------------------------------ splitting
def test_string_split():
    words = ["hello world", "a  b", " ", "", " x "]
    assert rows(tf.string_split(words)) == [[b"hello", b"world"], [b"a", b"b"], [], [], [b"x"]]
    assert rows(tf.string_split(words, skip_empty=False)) == [
        [b"hello", b"world"], [b"a", b"", b"b"], [b"", b""], [], [b"", b"x", b""],
    ]  # fmt: skip
    assert rows(tf.string_split(["a,b;c", "d"], ",;")) == [[b"a", b"b", b"c"], [b"d"]]
    assert rows(tf.string_split(["ab", "c"], delimiter="")) == [[b"a", b"b"], [b"c"]]
    assert rows(tf.string_split(["a]b-c^d"], delimiter="]-^")) == [[b"a", b"b", b"c", b"d"]]
    assert rows(tf.string_split(tf.zeros([0], tf.string))) == []
    sparse = tf.string_split(words)
    assert isinstance(sparse, tf.SparseTensor) and sparse.shape.as_list() == [None, None]
    with pytest.raises(ValueError, match="Shape must be rank 1 but is rank 0"):
        tf.string_split("ab")


def test_split_of_version_two():
    split = tf.strings.split
    words = ["hello world", "a  b", "", "  x "]
    assert rows(split(words)) == [[b"hello", b"world"], [b"a", b"b"], [], [b"x"]]
    assert rows(split(["a--b--c", "--", "a", ""], sep="--")) == [
        [b"a", b"b", b"c"], [b"", b""], [b"a"], [b""],
    ]  # fmt: skip
    assert rows(split(["a b c", "  a  b  c  "], maxsplit=1)) == [[b"a", b"b c"], [b"a", b"b  c  "]]
    assert rows(split("a b")) == [[b"a", b"b"]]
    # as TensorFlow: a split more than there are words gives an empty rest
    assert rows(split(["a", "a b "], maxsplit=1)) == [[b"a", b""], [b"a", b"b "]]
    assert rows(split([" a "], maxsplit=0)) == [[b" a "]]
    with pytest.raises(ValueError, match="no RaggedTensor"):
        split(words, result_type="RaggedTensor")


def test_words_of_lines_become_dense():
    lines = tf.placeholder(tf.string, [None])
    words = tf.sparse_tensor_to_dense(tf.string_split(lines), default_value="")
    assert run(words, {lines: ["a b", "c"]}).tolist() == [[b"a", b"b"], [b"c", b""]]
    numbers = tf.string_to_number(tf.string_split(["1 2 3"]).values, tf.int32)
    assert run(tf.reduce_sum(numbers)) == 6


def test_bytes_of_a_string():
    assert said(tf.strings.bytes_split("abc")) == [b"a", b"b", b"c"]


# ------------------------------------------------------------------ joins
def test_string_join():
    assert said(tf.string_join([["a", "b"], "x", ["c", "d"]], "-")) == [b"a-x-c", b"b-x-d"]
    assert said(tf.strings.join(["a", "b"])) == b"ab"
    fed = tf.placeholder(tf.string, [None, 2])
    joined = tf.string_join([fed, "!"])
    assert joined.shape.as_list() == [None, 2]
    assert run(joined, {fed: [["a", "b"]]}).tolist() == [[b"a!", b"b!"]]
    with pytest.raises(ValueError, match="must be equal"):
        tf.string_join([["a", "b"], ["c", "d", "e"]])


def test_reduce_join():
    table = [["a", "b"], ["c", "d"]]
    assert said(tf.reduce_join(table)) == b"abcd"
    assert said(tf.reduce_join(table, 0)) == [b"ac", b"bd"]
    assert said(tf.reduce_join(table, axis=1, keep_dims=True, separator=".")) == [
        [b"a.b"], [b"c.d"],
    ]  # fmt: skip
    assert said(tf.reduce_join(table, [1, 0])) == b"abcd"
    assert said(tf.reduce_join(table, [0, 1])) == b"acbd"
    assert said(tf.strings.reduce_join(table, -1)) == [b"ab", b"cd"]
    assert said(tf.reduce_join(table, [])) == [[b"a", b"b"], [b"c", b"d"]]
    assert said(tf.reduce_join(table, reduction_indices=tf.constant([0]))) == [b"ac", b"bd"]
    assert said(tf.reduce_join("a")) == b"a"
    assert said(tf.reduce_join(tf.zeros([0, 2], tf.string), 0)) == [b"", b""]
    with pytest.raises(ValueError, match="Invalid reduction dimension 2 for input with 2 dim"):
        tf.reduce_join(table, 2)
    with pytest.raises(INVALID, match="Duplicate reduction dimension 0"):
        tf.reduce_join(table, [0, 0])


# ------------------------------------------------------------------ numbers
@pytest.mark.parametrize(
    ("values", "options", "want"),
    [
        ([1, -22, 300], {}, ["1", "-22", "300"]),
        ([1.5, -2.25, np.nan, np.inf], {}, ["1.500000", "-2.250000", "nan", "inf"]),
        ([1.5, 2.25], {"precision": 1}, ["1.5", "2.2"]),
        ([12345.678], {"scientific": True}, ["1.234568e+04"]),
        ([1.5, 12345.678, 1e-7], {"shortest": True}, ["1.5", "12345.7", "1e-07"]),
        ([True, False], {}, ["true", "false"]),
        ([-7, 22], {"width": 5}, ["   -7", "   22"]),
        ([-7, 22], {"width": 4, "fill": "0"}, ["-007", "0022"]),
        ([1, 22], {"width": 5, "fill": "-"}, ["1    ", "22   "]),
        ([1, -22], {"width": 5, "fill": "+"}, ["   +1", "  -22"]),
        ([np.nan, 1.5], {"width": 9, "fill": "0"}, ["      nan", "01.500000"]),
        (np.array([1 + 2j]), {}, ["(1.000000,2.000000)"]),
        (np.array([1.5], np.float16), {}, ["1.500000"]),
        (["x"], {}, ["x"]),
    ],
)
def test_as_string(values, options, want):
    assert said(tf.as_string(values, **options)) == [w.encode() for w in want]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"precision": 2}, "precision not supported for datatype int32"),
        ({"fill": "ab"}, "Fill string must be one or fewer characters"),
        ({"scientific": True, "shortest": True}, "Cannot select both"),
    ],
)
def test_options_of_as_string_that_do_not_fit(options, text):
    with pytest.raises(INVALID, match=text):
        tf.as_string([1], **options)


def test_string_to_number():
    got = run(tf.string_to_number(["1.5", " 2 ", "-3e2", "inf", "nan", "1e400", ".5", "5."]))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, [1.5, 2, -300, np.inf, np.nan, np.inf, 0.5, 5])
    assert run(tf.strings.to_number(["10", "+7"], tf.int64)).tolist() == [10, 7]
    assert run(tf.string_to_number("0.1", tf.float64)) == 0.1


@pytest.mark.parametrize(
    ("text", "dtype"),
    [("abc", "float32"), ("", "float32"), ("1_0", "float32"), ("1.5", "int64"),
     ("99999999999", "int32")],
)  # fmt: skip
def test_what_is_no_number(text, dtype):
    with pytest.raises(INVALID, match=f"could not correctly convert string: {text}"):
        run(tf.string_to_number([text], getattr(tf, dtype)))
    with pytest.raises(TypeError, match="DataType bool not in list of allowed values"):
        tf.string_to_number([text], tf.bool)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1))
def test_numbers_come_back_from_text(values):
    tf.reset_default_graph()
    text = tf.as_string(np.float32(values), precision=9, scientific=True)
    np.testing.assert_array_equal(run(tf.string_to_number(text)), np.float32(values))


# ------------------------------------------------------------------ parts
def test_substr():
    words = ["hello", "wörld"]
    assert said(tf.substr(words, 1, 3)) == [b"ell", b"\xc3\xb6r"]
    assert said(tf.substr(words, -3, 2)) == [b"ll", b"rl"]
    assert said(tf.substr(words, 0, 100)) == [w.encode() for w in words]
    assert said(tf.substr(words, [1, 2], [1, 3])) == [b"e", b"\xb6rl"]
    assert said(tf.substr(words, 1, 3, unit="UTF8_CHAR")) == [b"ell", "örl".encode()]
    assert said(tf.strings.substr(words, 5, 1)) == [b"", b"d"]
    assert said(tf.substr(words, [[0], [1]], [[1], [2]])) == [[b"h", b"w"], [b"el", b"\xc3\xb6"]]
    with pytest.raises(INVALID, match="pos 10 out of range for string b'hello' at index 0"):
        run(tf.substr(words, 10, 1))
    with pytest.raises(INVALID, match="pos -7 out of range"):
        run(tf.substr(words, -7, 1))


def test_case_length_and_blanks():
    assert said(tf.strings.lower(["ABC", "GRÖSSE"])) == [b"abc", b"gr\xc3\x96sse"]
    assert said(tf.strings.lower("GRÖSSE", encoding="utf-8")) == "grösse".encode()
    assert said(tf.strings.upper(["abc", GREAT], encoding="utf-8")) == [b"ABC", "GRÖSSE".encode()]
    assert run(tf.strings.length(["abc", GREAT, ""])).tolist() == [3, 7, 0]
    assert run(tf.string_length([GREAT], unit="UTF8_CHAR")).tolist() == [5]
    assert said(tf.string_strip([" a b\t\n", "\x0b\x0cx\x1f"])) == [b"a b", b"x\x1f"]
    assert said(tf.strings.strip([""])) == [b""]
    with pytest.raises(INVALID, match="only utf-8 or ''"):
        tf.strings.upper(["a"], encoding="latin-1")
    with pytest.raises(ValueError, match="passed string 'X' not in"):
        tf.strings.length(["a"], unit="X")


# ------------------------------------------------------------------ expressions
@pytest.mark.parametrize(
    ("text", "pattern", "rewrite", "want"),
    [
        ("aab", "a", "x", "xxb"),
        ("hello world", r"(\w+) (\w+)", r"\2-\1", "world-hello"),
        ("abc", "b*", "-", "-a-c-"),
        ("baac", "a*", "-", "-b-c-"),
        ("aXbX", "[[:upper:]]", "_", "a_b_"),
        (GREAT, "ö.", "_", "gr_e"),
        ("abc", "b", r"\0\0", "abbc"),
        ("abc", "b", r"\1", "abc"),
        ("a.b", r"\.", r"\\", "a\\b"),
        ("abc", "$", "E", "abcE"),
        ("ABC", "(?i)b", "-", "A-C"),
        ("a\nb", "a.b", "-", "a\nb"),
        ("a1²", r"\d", "-", "a-²"),
        ("ab", r"b\z", "-", "a-"),
        ("b\n", "b$", "-", "b\n"),
        ("b\nb", "(?m)b$", "-", "-\n-"),
        ("a$b", "[$]", "-", "a-b"),
        ("a]b", "[]x]", "-", "a-b"),
        ("baab", "^|b", "x", "xbaax"),
        ("a[b", "[[]", "-", "a-b"),
        ("a[b$", "[x[]b$", "-", "a[b$"),
        ("a[b", "[x[]b$", "-", "a-"),
        ("a$b", r"\$", r"\n", "ab"),
        ("abab", "(a)(b)", r"[\2\1\0]", "[baab][baab]"),
        ("a b\tc", r"\s+", "", "abc"),
    ],
)
def test_regex_replace(text, pattern, rewrite, want):
    assert said(tf.regex_replace([text], pattern, rewrite)) == [want.encode()]


def test_more_of_regular_expressions():
    assert said(tf.regex_replace(["aab"], "a", "x", replace_global=False)) == [b"xab"]
    assert said(tf.regex_replace(b"\xff\xfea", "a", "-")) == b"\xff\xfe-"
    match = tf.strings.regex_full_match
    assert run(match(["abc", "ab", "abcd"], "a.c")).tolist() == [True, False, False]
    assert run(match("ab", "a|ab"))
    for bad in ("(", "[", r"\pL"):
        with pytest.raises(INVALID, match="Invalid pattern: "):
            run(match(["a"], bad))


# ------------------------------------------------------------------ format
def test_format_of_tensors():
    form = tf.strings.format
    assert said(form("x {} y {}", (tf.constant(1), tf.constant([1.5, 2])))) == b"x 1 y [1.5 2]"
    assert said(form("{}", tf.range(10))) == b"[0 1 2 ... 7 8 9]"
    assert said(form("{}", tf.range(10), summarize=-1)) == b"[0 1 2 3 4 5 6 7 8 9]"
    assert said(form("{}", tf.reshape(tf.range(16), [4, 4]), summarize=1)) == (
        b"[[0 ... 3]\n ...\n [12 ... 15]]"
    )
    assert said(form("{} %", tf.constant(["a", "b"]))) == b'["a" "b"] %'
    assert said(form("%t%", tf.constant(True), placeholder="%t%")) == b"1"
    assert said(form("none", ())) == b"none"
    assert said(form("{}", tf.constant([[1.5, 1e-10], [np.nan, 1e30]]))) == (
        b"[[1.5 1e-10]\n [nan 1e+30]]"
    )
    assert said(form("{}", tf.constant([0.1, 1 / 3], tf.float64))) == b"[0.1 0.33333333333333331]"
    with pytest.raises(ValueError, match="The template expects 2 tensors, but the inputs only"):
        form("{} {}", tf.constant(1))


# ------------------------------------------------------------------ code points
def test_code_points():
    strings = tf.strings
    assert run(strings.unicode_decode(GREAT, "UTF-8")).tolist() == [103, 114, 246, 223, 101]
    points, starts = strings.unicode_decode_with_offsets("grö", "UTF-8")
    assert run(points).tolist() == [103, 114, 246] and run(starts).tolist() == [0, 1, 2]
    assert run(strings.unicode_decode(b"a\xffb", "UTF-8")).tolist() == [97, 65533, 98]
    assert run(strings.unicode_decode(b"a\xffb", "UTF-8", errors="ignore")).tolist() == [97, 98]
    assert run(
        strings.unicode_decode("a\x01b", "UTF-8", replace_control_characters=True)
    ).tolist() == [97, 65533, 98]
    assert said(strings.unicode_split(GREAT, "UTF-8")) == [c.encode() for c in GREAT]
    with pytest.raises(INVALID, match="Invalid formatting on input string"):
        run(strings.unicode_decode(b"a\xffb", "UTF-8", errors="strict"))
    with pytest.raises(ValueError, match="graphc has no RaggedTensor"):
        strings.unicode_decode(["a"], "UTF-8")
    with pytest.raises(ValueError, match="unknown encoding"):
        strings.unicode_decode("a", "UTF-9")


def test_encodings():
    strings = tf.strings
    assert said(strings.unicode_encode([103, 246], "UTF-8")) == b"g\xc3\xb6"
    assert said(strings.unicode_encode([[103, 246], [65, 66]], "UTF-16-BE")) == [
        b"\0g\0\xf6", b"\0A\0B",
    ]  # fmt: skip
    assert said(strings.unicode_encode([0xD800, 65], "UTF-8")) == b"\xef\xbf\xbdA"
    assert said(strings.unicode_transcode(["grö"], "UTF-8", "UTF-16-BE")) == [b"\0g\0r\0\xf6"]
    assert said(strings.unicode_transcode(b"a\xff\xfeb", "UTF-8", "UTF-8")) == (
        "a\ufffd\ufffdb".encode()
    )
    with pytest.raises(ValueError, match="the output encoding must be one of"):
        strings.unicode_encode([65], "latin-1")


# ------------------------------------------------------------------ strings as values
def test_strings_move_as_other_values_do():
    fed = tf.placeholder(tf.string, [None])
    table = tf.reshape(tf.concat([fed, ["x"]], 0), [2, -1])
    picked = tf.gather(table, [1, 0])
    chosen = tf.where(tf.equal(picked, "x"), picked, tf.fill(tf.shape(picked), "-"))
    got, stacked = run([chosen, tf.stack([fed[0], fed[-1]])], {fed: ["a", "b", "c"]})
    assert got.tolist() == [[b"-", b"x"], [b"-", b"-"]]
    assert stacked.tolist() == [b"a", b"c"]
