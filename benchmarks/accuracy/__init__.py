"""Parts of the benchmark of descriptors: pictures, descriptors, figures, report."""
