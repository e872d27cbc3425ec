"""tf.gfile: files and folders. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.file_io": """
            Copy=copy DeleteRecursively=delete_recursively Exists=file_exists FastGFile=FileIO
            GFile=FileIO Glob=get_matching_files IsDirectory=is_directory
            ListDirectory=list_directory MakeDirs=recursive_create_dir MkDir=create_dir
            Open=FileIO Remove=delete_file Rename=rename Stat=stat Walk=walk""",
    },
)
