"""Apache Parquet, a row group a frame."""

from pathlib import Path

from tracelens.export.formats import Frames


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames, each as a row group."""
    import pyarrow
    from pyarrow import parquet

    writer = None
    try:
        for frame in frames:
            rows = pyarrow.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                writer = parquet.ParquetWriter(path, rows.schema, compression="zstd")
            writer.write_table(rows.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()
