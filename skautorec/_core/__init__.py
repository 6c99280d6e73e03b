"""The numerical core: torch, numpy and scipy only.

One side of the rating matrix is *encoded* (its rows go through the network), the other is *decoded*
(each of its rows is a linear function of the codes). Networks, codes and ridge regressions know no
more than that; `model.ItemPart` encodes items and decodes users, `model.UserPart` the reverse.
"""
