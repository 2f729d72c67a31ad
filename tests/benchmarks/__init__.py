"""Tests of what the benchmark reckons; what it measures is no test's business."""
