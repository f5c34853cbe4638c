"""Geometry of two pictures: local features, homography, overlap and parallax; the only home of OpenCV."""
