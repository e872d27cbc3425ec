"""Encoded images: small graphs for tests/oracle/record.py.

FILES holds pictures of five by seven pixels and the like, in base64.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

CASES: dict[str, Any] = {}

FILES = {
    "palette": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFBAMAAAB7tOvrAAAAD1BMVEXA1Hyjt99/k7tOYoocMFjWw9N/AAAAIklE"
        "QVR42mN0YWB4w8LwnoGB5f3/D/9Y3v//8J+Z4cf7HwB+VQzI+fsIbAAAAABJRU5ErkJggg=="
    ),
    "palette_alpha": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFBAMAAAB7tOvrAAAAD1BMVEXA1Hyjt99/k7tOYoocMFjWw9N/AAAAA3RS"
        "TlP//wDXyg1BAAAAIklEQVR42mN0YWB4w8LwnoGB5f3/D/9Y3v//8J+Z4cf7HwB+VQzI+fsIbAAAAABJRU5ErkJg"
        "gg=="
    ),
    "one_bit": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFAQAAAACh4ct1AAAAEklEQVR4nGNgYGBismH4x8QAAAROAUGO3kgpAAAA"
        "AElFTkSuQmCC"
    ),
    "rgb": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAIAAAAG+GGPAAAAFUlEQVR4nGNkELHhxAAsGhoatBAFADKGBWyFIIxg"
        "AAAAAElFTkSuQmCC"
    ),
    "rgb_key": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAIAAAAG+GGPAAAABnRSTlMAAAAUADxa5nC6AAAAFUlEQVR4nGNkELHh"
        "xAAsGhoatBAFADKGBWyFIIxgAAAAAElFTkSuQmCC"
    ),
    "grey": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAAAAACs8akEAAAAFElEQVR4nGMU4eTk5OTkZNHATwMAJQ0B1IpygfcA"
        "AAAASUVORK5CYII="
    ),
    "grey_16": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFEAAAAAD8YXVHAAAAKElEQVR4nGMUseGURkBGmy2c0pzSXDBuqg6yLItG"
        "BYQBkWfcJoMsCwAeFQeGwjlZcwAAAABJRU5ErkJggg=="
    ),
    "grey_alpha": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAQAAAAjkz5TAAAAEklEQVR4nGNkEOFEAiwaGmRzAYKgA4J1QkTCAAAA"
        "AElFTkSuQmCC"
    ),
    "rgba": (
        "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAYAAACJmvbYAAAAF0lEQVR4nGNkELFZwIkDsGhoaNygsyQAHzcKeoOx"
        "BpoAAAAASUVORK5CYII="
    ),
    "bmp": (
        "Qk2uAAAAAAAAADYAAAAoAAAABwAAAAUAAAABABgAAAAAAHgAAADEDgAAxA4AAAAAAAAAAAAA3LSg5b2p7say98+7"
        "ANjECeHNEurWAAAAtIx4vZWBxp6Kz6eT2LCc4bml6sKuAAAAjGRQlW1ZnnZip39rsIh0uZF9wpqGAAAAZDwobUUx"
        "dk46f1dDiGBMkWlVmnJeAAAAPBQARR0JTiYSVy8bYDgkaUEtcko2AAAA"
    ),
    "bmp_alpha": (
        "Qk3CAAAAAAAAADYAAAAoAAAABwAAAAUAAAABACAAAAAAAIwAAADEDgAAxA4AAAAAAAAAAAAA3LSgAOW9qQnuxrIS"
        "98+7GwDYxCQJ4c0tEurWNrSMeCi9lYExxp6KOs+nk0PYsJxM4bmlVerCrl6MZFBQlW1ZWZ52YmKnf2trsIh0dLmR"
        "fX3CmoaGZDwoeG1FMYF2TjqKf1dDk4hgTJyRaVWlmnJerjwUAKBFHQmpTiYSslcvG7tgOCTEaUEtzXJKNtY="
    ),
    "gif": (
        "R0lGODdhBwAFAIIAAMDUfKO334ebw3KGrlltlUBUfCc7YwkdRSwAAAAABwAFAAAIHQAPCDRAsEDBAgUIKFQ4YIAA"
        "AQ4fBphIMQCAiwEBADs="
    ),
    "gif_two": (
        "R0lGODdhBAADAIEAAAAAAAAAAAAAAAAAACwAAAAABAADAAAICAABCBxIUGBAACH5BAEAAAEALAAAAAAEAAMAgcjI"
        "yAAAAAAAAAAAAAgIAAEIHEhQYEAAOw=="
    ),
    "jpeg": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsj"
        "HBYWICwgIyYnKSopGR8tMC0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo"
        "KCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCj/wAARCAAQABgDASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAA"
        "AAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAk"
        "M2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKT"
        "lJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QA"
        "HwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdh"
        "cRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hp"
        "anN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk"
        "5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDxqx03p8tdBY6b0+WtWx03p8tdBY6b0+WvXPMMqx03p8tFdrY6"
        "b0+WigD/2Q=="
    ),
    "jpeg_grey": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZG"
        "NywtQFdBRkxOUlNSMj5aYVpQYEpRUk//wAALCAAQABgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcI"
        "CQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcY"
        "GRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKj"
        "pKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AOBh"
        "tvar8Nt7Vfhtvaoobb2q/Dbe1X4bb2r/2Q=="
    ),
}

BYTES = {name: base64.b64decode(text) for name, text in FILES.items()}
PASSES = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
    (1, 0, 2, 1),
)  # fmt: skip


def interlaced(image: Any) -> bytes:
    """An interlaced PNG file of an uint8 image [h, w, 3]."""
    height, width, _ = image.shape
    rows = b"".join(
        b"\0" + line.tobytes()
        for row, column, down, right in PASSES
        for line in image[row::down, column::right]
        if line.size
    )

    def chunk(name: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    )


SQUARE = np.random.RandomState(8).randint(256, size=(6, 9, 3)).astype(np.uint8)
BYTES["interlaced"] = interlaced(SQUARE)
PNGS = (
    "palette", "palette_alpha", "one_bit", "rgb", "rgb_key", "grey", "grey_16", "grey_alpha",
    "rgba", "interlaced",
)  # fmt: skip


def case(fn: Any) -> Any:
    CASES[fn.__name__] = fn
    return fn


@case
def png(tf: Any) -> Any:
    # TensorFlow's alpha of a file of four bits a pixel is 15
    narrow = ("palette", "one_bit")
    return [
        tf.image.decode_png(BYTES[name], c)
        for name in PNGS for c in (0, 1, 3, 4) if c < 4 or name not in narrow
    ]  # fmt: skip


@case
def png_in_16_bits(tf: Any) -> Any:
    names = ("rgb", "grey_16", "rgba", "palette_alpha")
    wide = tf.constant(np.arange(24).reshape(2, 3, 4) * 2000, tf.uint16)
    return [
        *(tf.image.decode_png(BYTES[name], dtype=tf.uint16) for name in names),
        *(tf.image.decode_png(BYTES["grey_16"], c, tf.uint16) for c in (1, 3, 4)),
        tf.image.decode_png(tf.image.encode_png(wide), dtype=tf.uint16),
        tf.image.decode_png(tf.image.encode_png(wide)),
    ]


@case
def png_there_and_back(tf: Any) -> Any:
    out = []
    for channels in (1, 2, 3, 4):
        image = tf.constant(np.arange(5 * 4 * channels).reshape(5, 4, channels) * 3, tf.uint8)
        out += [
            tf.image.decode_png(tf.image.encode_png(image)),
            tf.image.decode_png(tf.image.encode_png(image, compression=0)),
        ]
    return out


@case
def bmp(tf: Any) -> Any:
    return [
        tf.image.decode_bmp(BYTES["bmp"]), tf.image.decode_bmp(BYTES["bmp"], 3),
        tf.image.decode_bmp(BYTES["bmp_alpha"]), tf.image.decode_image(BYTES["bmp"]),
    ]


@case
def gif(tf: Any) -> Any:
    return [
        tf.image.decode_gif(BYTES["gif"]), tf.image.decode_gif(BYTES["gif_two"]),
        tf.image.decode_png(BYTES["gif"]), tf.image.decode_image(BYTES["gif_two"]),
        tf.image.decode_image(BYTES["gif_two"], expand_animations=False),
        tf.image.decode_gif(BYTES["rgb"]),
    ]


@case
def jpeg(tf: Any) -> Any:
    exact = {"dct_method": "INTEGER_ACCURATE"}
    return [
        *(tf.image.decode_jpeg(BYTES["jpeg"], c, **exact) for c in (0, 1, 3)),
        *(tf.image.decode_jpeg(BYTES["jpeg_grey"], c, **exact) for c in (0, 1, 3)),
        tf.shape(tf.image.decode_jpeg(BYTES["jpeg"], ratio=2)),
        tf.shape(tf.image.decode_jpeg(BYTES["jpeg"], ratio=8)),
        tf.image.decode_and_crop_jpeg(BYTES["jpeg"], [3, 4, 5, 6], **exact),
        tf.image.extract_jpeg_shape(BYTES["jpeg"]),
        tf.image.extract_jpeg_shape(BYTES["jpeg_grey"], tf.int64),
        tf.image.is_jpeg(BYTES["jpeg"]), tf.image.is_jpeg(BYTES["rgb"]),
        tf.image.decode_jpeg(BYTES["rgb"]), tf.image.decode_png(BYTES["jpeg"])[:1, :1] * 0,
    ]


@case
def any_format(tf: Any) -> Any:
    return [
        tf.image.decode_image(BYTES["rgb"]), tf.image.decode_image(BYTES["grey"], 3),
        tf.image.decode_image(BYTES["rgb"], dtype=tf.float32),
        tf.image.decode_image(BYTES["rgb"], dtype=tf.uint16),
        tf.image.decode_image(BYTES["rgba"], dtype=tf.float64),
    ]


@case
def colours(tf: Any) -> Any:
    """Ops of TensorFlow's files that are many of graphc's."""
    x = tf.constant(SQUARE[:2] / np.float32(255))
    return [
        tf.image.rgb_to_hsv(x), tf.image.hsv_to_rgb(x), tf.image.adjust_hue(x, 0.3),
        tf.image.adjust_saturation(x, 0.6), tf.image.adjust_contrast(x, 1.4),
    ]


for _name, _call in {
    "no_image": lambda tf: tf.image.decode_png(b"not an image"),
    "no_image_at_all": lambda tf: tf.image.decode_image(b""),
    "cut_png": lambda tf: tf.image.decode_png(BYTES["rgb"][:-30]),
    "cut_jpeg": lambda tf: tf.image.decode_jpeg(BYTES["jpeg"][:90]),
    "bmp_as_png": lambda tf: tf.image.decode_png(BYTES["bmp"]),
    "png_as_bmp": lambda tf: tf.image.decode_bmp(BYTES["rgb"]),
    "frames_as_png": lambda tf: tf.image.decode_png(BYTES["gif_two"]),
    "shape_of_png": lambda tf: tf.image.extract_jpeg_shape(BYTES["rgb"]),
    "five_channels": lambda tf: tf.image.encode_png(np.zeros((2, 2, 5), np.uint8)),
    "four_for_jpeg": lambda tf: tf.image.encode_jpeg(np.zeros((2, 2, 4), np.uint8)),
}.items():
    CASES[_name] = _call
