"""A workflow on real input: four quadrants of a Landsat scene become a map of its colours, on two worker processes."""
