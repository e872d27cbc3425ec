"""tf.logging: the format, the levels, the limits of rate; tf.resource_loader, tf.sysconfig."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import graphc as tf


@pytest.fixture
def bare():
    """Gives a function: logging as in a program that has not set it up, as pytest does."""
    root, logger = logging.getLogger(), logging.getLogger("tensorflow")
    before = logger.handlers[:], logger.propagate, logger.level
    handlers: list[logging.Handler] = []

    def clear() -> None:
        handlers[:] = root.handlers
        root.handlers[:], logger.handlers[:] = [], []

    yield clear
    root.handlers[:] = handlers
    logger.handlers[:], logger.propagate = before[:2]
    logger.setLevel(before[2])


def test_the_format_is_that_of_tensorflow(bare, capsys):
    bare()
    tf.logging.set_verbosity(tf.logging.INFO)
    tf.logging.info("step %d: %s", 3, "ok")
    tf.logging.warn("careful")
    tf.logging.log(tf.logging.ERROR, "bad")
    tf.logging.fatal("worse")
    tf.logging.debug("unseen")
    tf.logging.flush()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "INFO:tensorflow:step 3: ok\nWARNING:tensorflow:careful\n"
        "ERROR:tensorflow:bad\nCRITICAL:tensorflow:worse\n"
    )


def test_warnings_are_written_at_first_and_infos_not(bare, capsys):
    bare()
    tf.logging.info("a")
    tf.logging.warning("b")
    assert capsys.readouterr().err == "WARNING:tensorflow:b\n"
    assert tf.logging.get_verbosity() == tf.logging.WARN == 30


def test_levels_have_names(bare, capsys):
    bare()
    tf.logging.set_verbosity("DEBUG")
    assert tf.logging.get_verbosity() == tf.logging.DEBUG
    tf.logging.set_verbosity(tf.logging.__dict__["ERROR"])
    tf.logging.warning("unseen")
    tf.logging.TaskLevelStatusMessage("seen")
    assert capsys.readouterr().err == "ERROR:tensorflow:seen\n"
    with pytest.raises(ValueError, match="Unknown level"):
        tf.logging.set_verbosity("LOUD")


def test_rates_count_by_line(bare, capsys):
    bare()
    for i in range(7):
        tf.logging.log_every_n(tf.logging.WARN, "every %d", 3, i)
        tf.logging.log_first_n(tf.logging.WARN, "first %d", 2, i)
        tf.logging.log_first_n(tf.logging.WARN, "first %d", 1, -i)
        tf.logging.log_if(tf.logging.WARN, "if %d", i == 5, i)
    lines = [line.split(":")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["every 0", "first 0", "first 0", "first 1", "every 3", "if 5", "every 6"]


def test_the_logger_is_found_by_its_name(bare, capsys):
    bare()
    assert tf.get_logger() is logging.getLogger("tensorflow")
    tf.get_logger().setLevel("ERROR")
    tf.logging.warning("unseen")
    tf.logging.vlog(tf.logging.ERROR, "seen")
    assert capsys.readouterr().err == "ERROR:tensorflow:seen\n"


def test_set_up_logging_is_left_alone():
    code = (
        "import logging; logging.basicConfig(format='%(message)s!');"
        "import graphc as tf; tf.logging.warn('a'); tf.logging.error('b')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr == "a!\nb!\n"


def test_resources_lie_beside_the_caller():
    here = Path(__file__).resolve()
    loader = tf.resource_loader
    assert loader.load_resource(here.name) == here.read_bytes()
    assert loader.get_path_to_datafile("x.txt") == str(here.parent / "x.txt")
    assert loader.get_data_files_path() == str(here.parent)
    assert loader.get_root_dir_with_all_resources() == str(here.parent)
    assert loader.readahead_file_path("x") == "x"
    with pytest.raises(tf.errors.NotFoundError):
        loader.load_resource("no.txt")


def test_sysconfig_names_the_package():
    folder = str(Path(tf.__file__).parent)
    assert tf.sysconfig.get_lib() == tf.sysconfig.get_include() == folder
    assert tf.sysconfig.get_compile_flags() == tf.sysconfig.get_link_flags() == []
