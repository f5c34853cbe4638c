"""Bytes to pixels to signatures: all that the bytes of one image alone say. No disk, no network, no index.

Names are imported from the modules: whoever needs only the errors then waits for neither numpy nor Pillow.
"""
