"""tf.data.Dataset and the datasets of files.

Lives here: the user's classes: arguments, their checks, what TF calls things. Not here: how
elements come about (sources.py, readers.py, transforms.py, batching.py, nesting.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from graphc.data import batching, nesting, readers, sources, transforms
from graphc.data.iterator import Iterator
from graphc.data.source import Source
from graphc.data.structure import (
    classes_of,
    flatten,
    make_spec,
    map_leaves,
    shapes_of,
    types_of,
)
from graphc.tf1.api_random import get_seed


def _seeds(seed: Any) -> tuple[int, int]:
    first, second = get_seed(None if seed is None else int(seed))
    return first or 0, second or 0


class Dataset:
    """A sequence of elements, each a structure of tensors (tf.data.Dataset).

    Made by the static methods below; transformations give new datasets and change nothing.
    Functions get symbolic tensors: they are traced once, compiled, and run for each element.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    # ------------------------------------------------------------ sources
    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        """One element: these tensors."""
        return Dataset(sources.from_tensors(tensors))

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """The rows of the tensors, which have as many each.

        Raises:
            ValueError: scalars, or numbers of rows that differ.
        """
        return Dataset(sources.from_tensor_slices(tensors))

    @staticmethod
    def from_generator(
        generator: Callable[..., Any], output_types: Any, output_shapes: Any = None,
        args: Any = None,
    ) -> Dataset:  # fmt: skip
        """What generator(*args) yields; it is called anew for each pass.

        Raises:
            TypeError: `generator` is not callable. In the run InvalidArgumentError, for what does
            not fit output_types and output_shapes, and for the generator's own errors.
        """
        spec = make_spec(output_types, output_shapes)
        return Dataset(sources.from_generator(generator, spec, args))

    @staticmethod
    def range(*args: Any) -> Dataset:
        """int64 numbers, as Python's range."""
        return Dataset(sources.from_range(*args))

    @staticmethod
    def zip(datasets: Any) -> Dataset:
        """Elements with one element of each dataset of a structure; ends with the shortest.

        Raises:
            TypeError: a list, or something that is no dataset.
        """
        if isinstance(datasets, list):
            raise TypeError(
                "Invalid input to `zip`: a list; the argument must be a (nested) structure of "
                "`Dataset` objects, e.g. a tuple."
            )
        for dataset in flatten(datasets):
            if not isinstance(dataset, Dataset):
                raise TypeError(
                    "The argument to `Dataset.zip()` must be a (nested) structure of `Dataset` "
                    f"objects, but holds {dataset!r}."
                )
        spec = map_leaves(lambda d: d._source.spec, datasets)
        return Dataset(transforms.zipped(spec, [d._source for d in flatten(datasets)]))

    @staticmethod
    def list_files(file_pattern: Any, shuffle: bool | None = None, seed: Any = None) -> Dataset:
        """The names of files that match a glob pattern or several, in a random order.

        Args:
            shuffle: False for sorted names. In the run InvalidArgumentError where none matches.
        """
        mixed = shuffle is None or bool(shuffle)
        return Dataset(sources.from_files(file_pattern, mixed, _seeds(seed)))

    # ------------------------------------------------------------ element by element
    def map(self, map_func: Callable[..., Any], num_parallel_calls: Any = None) -> Dataset:
        """map_func of each element: of a tuple's parts as arguments."""
        return Dataset(transforms.mapped(self._source, map_func, num_parallel_calls))

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which the function gives true. Raises ValueError: no scalar bool."""
        return Dataset(transforms.filtered(self._source, predicate))

    def flat_map(self, map_func: Callable[..., Any]) -> Dataset:
        """The elements of the datasets that map_func returns. Raises TypeError: no dataset."""
        return Dataset(nesting.flat_mapped(self._source, map_func))

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: Any = 1,
        block_length: Any = 1,
        num_parallel_calls: Any = None,
    ) -> Dataset:
        """block_length elements of each of cycle_length datasets in turn.

        num_parallel_calls is accepted: the order is the same with and without.
        """
        return Dataset(
            nesting.interleaved(self._source, map_func, cycle_length, block_length)
        )

    def enumerate(self, start: Any = 0) -> Dataset:
        """(number, element)."""
        return Dataset(transforms.enumerated(self._source, start))

    def take(self, count: Any) -> Dataset:
        """The first `count` elements; all for -1."""
        return Dataset(transforms.taken(self._source, count))

    def skip(self, count: Any) -> Dataset:
        """All but the first `count` elements; none for -1."""
        return Dataset(transforms.skipped(self._source, count))

    def shard(self, num_shards: Any, index: Any) -> Dataset:
        """Every num_shards-th element from number `index` on. Raises ValueError: bad numbers."""
        return Dataset(transforms.sharded(self._source, num_shards, index))

    def concatenate(self, dataset: Dataset) -> Dataset:
        """These elements, then the other's. Raises TypeError: types differ."""
        return Dataset(transforms.concatenated(self._source, dataset._source))

    # ------------------------------------------------------------ batches
    def batch(self, batch_size: Any, drop_remainder: Any = False) -> Dataset:
        """Stacks of batch_size elements; the last one is smaller unless it is dropped."""
        return Dataset(batching.batch(self._source, batch_size, drop_remainder))

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
    ) -> Dataset:
        """Stacks of elements that are padded at their ends.

        Args:
            padded_shapes: a shape for each component; None in it stands for the longest element
                of the batch. padding_values: scalars (0, "").
        """
        return Dataset(
            batching.padded_batch(
                self._source, batch_size, padded_shapes, padding_values, drop_remainder
            )
        )

    # ------------------------------------------------------------ passes
    def repeat(self, count: Any = None) -> Dataset:
        """The elements `count` times; without end for None and -1."""
        return Dataset(transforms.repeated(self._source, count))

    def shuffle(
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = None
    ) -> Dataset:
        """A random order: each element is drawn from a buffer of the next buffer_size.

        With a seed an iterator gives the same order each time it is initialised. Each pass of a
        repeat has another order, unless reshuffle_each_iteration is False.
        """
        again = reshuffle_each_iteration is None or bool(reshuffle_each_iteration)
        return Dataset(transforms.shuffled(self._source, buffer_size, _seeds(seed), again))

    def cache(self, filename: Any = "") -> Dataset:
        """The elements of the first complete pass, kept in memory or in a file."""
        name = filename.decode() if isinstance(filename, bytes) else str(filename)
        return Dataset(transforms.cached(self._source, name))

    def prefetch(self, buffer_size: Any) -> Dataset:
        """A thread makes up to buffer_size elements ahead."""
        return Dataset(transforms.prefetched(self._source, buffer_size))

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """transformation_func(self). Raises TypeError: it gives no dataset."""
        dataset = transformation_func(self)
        if not isinstance(dataset, Dataset):
            raise TypeError("`transformation_func` must return a Dataset.")
        return dataset

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any]) -> Any:
        """The state after reduce_func(state, element) for every element, as tensors."""
        return nesting.reduced(self._source, initial_state, reduce_func)

    # ------------------------------------------------------------ iterators
    def make_one_shot_iterator(self) -> Iterator:
        """An iterator that needs no initialisation. Raises ValueError: it needs more than
        constants (placeholders, variables, random tensors)."""
        return Iterator._one_shot(self._source)

    def make_initializable_iterator(self, shared_name: str | None = None) -> Iterator:
        """An iterator that its `initializer` starts: placeholders are fed in that run."""
        return Iterator._initializable(self._source, shared_name)

    def __iter__(self) -> NoReturn:
        raise RuntimeError(
            "dataset.__iter__() is only supported when eager execution is enabled: use "
            "make_one_shot_iterator().get_next()"
        )

    # ------------------------------------------------------------ what it gives
    @property
    def output_types(self) -> Any:
        """The dtypes of an element."""
        return types_of(self._source.spec)

    @property
    def output_shapes(self) -> Any:
        """The static shapes of an element."""
        return shapes_of(self._source.spec)

    @property
    def output_classes(self) -> Any:
        """The classes of an element's components."""
        return classes_of(self._source.spec)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} shapes: {map_leaves(str, self.output_shapes)}, types: "
            f"{map_leaves(lambda t: t.name, self.output_types)}>"
        )


class TextLineDataset(Dataset):
    """The lines of text files, as bytes without line ends (tf.data.TextLineDataset).

    Args:
        filenames: a string, several, or a dataset of them. compression_type: "", "ZLIB", "GZIP".
    """

    def __init__(
        self, filenames: Any, compression_type: Any = None, buffer_size: Any = None,
        num_parallel_reads: Any = None,
    ) -> None:  # fmt: skip
        names = readers.filenames_of(filenames)
        super().__init__(readers.text_lines(names, compression_type, buffer_size))


class TFRecordDataset(Dataset):
    """The records of TFRecord files, as bytes (tf.data.TFRecordDataset).

    Args: as TextLineDataset's; files are read one after the other.

    Raises (in the run):
        DataLossError: a damaged file. NotFoundError: a missing one.
    """

    def __init__(
        self, filenames: Any, compression_type: Any = None, buffer_size: Any = None,
        num_parallel_reads: Any = None,
    ) -> None:  # fmt: skip
        names = readers.filenames_of(filenames)
        super().__init__(readers.tf_records(names, compression_type, buffer_size))


class FixedLengthRecordDataset(Dataset):
    """Records of record_bytes each, after a header and before a footer.

    Raises (in the run):
        InvalidArgumentError: the rest of a file is no multiple of record_bytes.
    """

    def __init__(
        self, filenames: Any, record_bytes: Any, header_bytes: Any = None, footer_bytes: Any = None,
        buffer_size: Any = None, compression_type: Any = None, num_parallel_reads: Any = None,
    ) -> None:  # fmt: skip
        names = readers.filenames_of(filenames)
        super().__init__(
            readers.fixed_records(
                names, record_bytes, header_bytes, footer_bytes, buffer_size, compression_type
            )
        )


def make_one_shot_iterator(dataset: Dataset) -> Iterator:
    """tf.data.make_one_shot_iterator: the dataset's own method."""
    return dataset.make_one_shot_iterator()


def make_initializable_iterator(dataset: Dataset, shared_name: str | None = None) -> Iterator:
    """tf.data.make_initializable_iterator: the dataset's own method."""
    return dataset.make_initializable_iterator(shared_name)


def get_output_types(dataset_or_iterator: Dataset | Iterator) -> Any:
    """The dtypes of an element."""
    return dataset_or_iterator.output_types


def get_output_shapes(dataset_or_iterator: Dataset | Iterator) -> Any:
    """The static shapes of an element."""
    return dataset_or_iterator.output_shapes


def get_output_classes(dataset_or_iterator: Dataset | Iterator) -> Any:
    """The classes of an element's components."""
    return dataset_or_iterator.output_classes
