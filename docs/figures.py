"""How the gallery's figures look, and a check that none of their labels are overprinted."""

from itertools import combinations

from matplotlib import pyplot as plt
from matplotlib.text import Text
from sphinx.errors import ExtensionError
from sphinx_gallery.scrapers import matplotlib_scraper

# Of a label's height or width that two may share, for the room around their letters.
SHARE = 0.25


def style(gallery_conf, file_name):
    """Draw the figures of an example without the frame's upper and right side."""
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})


def scrape(block, block_vars, gallery_conf):
    """Save the figures of a block, unless labels are on top of one another."""
    for number in plt.get_fignums():
        figure = plt.figure(number)
        figure.canvas.draw()
        overprinted = [
            f"{one.get_text()!r} and {other.get_text()!r}"
            for one, other in combinations(_labels(figure), 2)
            if _overlap(_box(one), _box(other))
        ]
        if overprinted:
            raise ExtensionError(
                f"{block_vars['src_file']}: printed over one another: {', '.join(overprinted)}"
            )
    return matplotlib_scraper(block, block_vars, gallery_conf)


def _labels(figure):
    """Texts that are drawn: of ticks, only those inside of their axes."""
    outside = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    return [
        text
        for text in figure.findobj(Text)
        if text not in outside and text.get_visible() and text.get_text().strip()
    ]


def _box(text):
    """Where its letters are; an annotation's own box would have its arrow too."""
    return Text.get_window_extent(text)


def _overlap(one, other):
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > SHARE * min(one.width, other.width) and height > SHARE * min(
        one.height, other.height
    )
