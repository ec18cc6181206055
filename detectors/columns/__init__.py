"""Columns before binning: their inferred types, timestamps read as seconds, and several chunks joined into one."""
