"""The ledger's equation, checked on a scrape: read = acked + dead_lettered + dropped{reason} + pending."""


def imbalance(metrics: dict[str, float]) -> dict[str, float]:
    """By unit, what is missing on the right side; empty when the ledger is in balance."""
    wrong = {}
    for unit in ("lines", "bytes"):
        dropped = (value for name, value in metrics.items() if name.startswith(f"logshipper_dropped_{unit}_total"))
        accounted = (
            metrics[f"logshipper_acked_{unit}_total"]
            + metrics[f"logshipper_dead_lettered_{unit}_total"]
            + sum(dropped)
            + metrics[f"logshipper_pending_{unit}"]
        )
        if metrics[f"logshipper_read_{unit}_total"] != accounted:
            wrong[unit] = metrics[f"logshipper_read_{unit}_total"] - accounted
    return wrong
