"""The viewer: one self-contained HTML page of a document.

Lives here: page (build.py) and the page's own files (assets). Not here: how a document is
made (inspect/document.py). Imported by graphc.inspect's commands and formats.
"""

from __future__ import annotations

from graphc.inspect.page.build import page

__all__ = ["page"]
