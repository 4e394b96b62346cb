package enum ReportHTML { package static func render(_ report: RunReport) -> String { "" } }
