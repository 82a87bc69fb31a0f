"""The HTML report: one self-contained file for a study or a run."""

from avs_lightning.reporting.report.page import write_report
from avs_lightning.reporting.report.report import Report, ReportRun

__all__ = ["Report", "ReportRun", "write_report"]
