"""tf.resource_loader. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.resource_loader": """
            get_data_files_path get_path_to_datafile get_root_dir_with_all_resources
            load_resource readahead_file_path""",
    },
)
