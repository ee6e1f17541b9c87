"""Several sessions in one trace: an event or packet -> the open session that it belongs to."""
