"""The numerical core: torch, numpy and scipy only, and no word of users or items.

One side of the rating matrix is *encoded* (its rows go through the network), the other is
*decoded* (each of its rows is a linear function of the codes). Who is who is the estimator's
business; see the layout in ``docs``.
"""
