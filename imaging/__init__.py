"""Bytes to pixels to signatures: everything that is computed from one image alone. No disk, network or index.

Import names from the modules: code that needs only the errors then loads neither numpy nor Pillow.
"""
