"""Metrics: functions of tensors, most with one number per frame and the unit in the name.

`members` are the metrics of `facetalk evaluate`, in the table of `registry`.
"""
