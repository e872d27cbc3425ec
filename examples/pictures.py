"""Pictures of the examples as PNG files, where matplotlib is installed (extra `examples`)."""

from __future__ import annotations

from pathlib import Path


def folder_of(words):
    """The folder after --out among the words of a command line; None where there is none."""
    if "--out" not in words:
        return None
    at = words.index("--out") + 1
    if at == len(words):
        raise SystemExit("--out needs a folder")
    return Path(words[at])


def figure(path, draw, size):
    """Lets draw(figure) draw a picture of size (width, height) in inches and writes it to path."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("no picture without matplotlib: pip install 'graphc[examples]'")
        return
    made = plt.figure(figsize=size, layout="constrained")
    draw(made)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path, dpi=120)
    plt.close(made)
    print(f"picture in {path}")


def images(path, grid, titles=None):
    """Gray images [rows, columns, height, width] in [0, 1] side by side, each with its title."""
    rows, columns = len(grid), len(grid[0])

    def draw(made):
        for k, axes in enumerate(made.subplots(rows, columns, squeeze=False).flat):
            axes.imshow(grid[k // columns][k % columns], cmap="gray_r", vmin=0, vmax=1)
            axes.set_axis_off()
            if titles is not None:
                axes.set_title(titles[k], fontsize=8)

    figure(path, draw, (columns * 0.7, rows * (0.7 if titles is None else 0.95)))
