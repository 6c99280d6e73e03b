"""Everything that reads what users pass: ids, frames, matrices and tables of ratings.

It is checked here, once; what is behind it trusts what it gets.
"""
