"""An analysis -> something to read. Each module renders the JSON document and nothing else."""
