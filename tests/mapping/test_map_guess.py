"""What a column of unknown meaning holds, as its values say."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flitstack.catalogue.read import load_catalogue
from flitstack.mapping.guess import guess_columns, similar_column
from flitstack.staging.engine.engine import Engine


@pytest.mark.parametrize(
    ("values", "precision"),
    [
        (["12.345 €", "1.5"], 3),
        (["(0.12345)", "2,5 "], 5),
        (["1,234", "0.5"], 2),  # the comma separates thousands
        (["0.30000000000000004", "0.5"], 2),  # how a workbook keeps 0.3
    ],
)
def test_a_column_made_for_numbers_keeps_all_their_decimals(
    module_engine: Engine, tmp_path: Path, values: list[str], precision: int
) -> None:
    pq.write_table(pa.table({"V": values}), tmp_path / "t.parquet")
    guess = guess_columns(module_engine, str(tmp_path / "t.parquet"), ["V"], "DMY", "UTC", {})["V"]
    assert (guess.create["type"], guess.create["precision"]) == ("Decimal", precision)
    like = similar_column("Estimated Value", guess, load_catalogue().tables["opportunity"], ())
    assert (like is not None) == (precision <= 2), "a column that would round them does not hold them"
