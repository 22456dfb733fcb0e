"""`data/report.html`: the study on one page, made from its tables."""
