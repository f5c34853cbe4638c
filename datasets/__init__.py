"""Data sets that training and benchmarks share: photographs with their split, and rendered look-alikes."""
