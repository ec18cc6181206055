"""`pilotfish profile build`, `show` and `diff` on the command line."""

from __future__ import annotations

import gzip
import json
import re
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar import cli
from pilotfish.sidecar.profiles.files import read_profile
from pilotfish.sidecar.settings.load import parse

ROWS = 4000


@cache
def rows(shift: float, seed: int) -> bytes:
    """Return 20 days of a number, a code, a flag, an identifier, a score and a label, as CSV."""
    random = np.random.default_rng(seed)
    lines = ["when,amount,zip,member,row id,score,paid"]
    for row in range(ROWS):
        amount = f"{random.normal(10 + shift, 3):.2f}" if random.random() > 0.1 else ""
        code, member = random.choice(["00501", "10001", "94105"]), random.choice(["true", "false"])
        score, paid = random.random(), random.integers(2)
        lines.append(f"{1.7e9 + row * 432:.0f},{amount},{code},{member},id-{row},{score:.4f},{paid}")
    return ("\n".join(lines) + "\n").encode()


def write_rows(path: Path, shift: float = 0.0, seed: int = 1) -> Path:
    """Write `rows` to a file, compressed if its name ends with .gz."""
    text = rows(shift, seed)
    path.write_bytes(gzip.compress(text, 1) if path.suffix == ".gz" else text)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.csv.gz")


def built(data: Path, *options: str, out: str = "profile.json") -> Profile:
    path = data.parent / out
    assert cli.main(["profile", "build", str(data), "--out", str(path), *options]) == 0
    return read_profile(path)


@cache
def profile_of_rows() -> bytes:
    """Return the file that `profile build --time when --exclude "row id"` makes of `rows`; built once in a process."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "profile.json"
        built(write_rows(Path(folder) / "rows.csv.gz"), "--time", "when", "--exclude", "row id")
        return path.read_bytes()


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "profile.json"
    path.write_bytes(profile_of_rows())
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["profile", *arguments]) == 2
    output = capsys.readouterr().err
    assert "Traceback" not in output
    return output


@pytest.mark.long
def test_build_uses_roles_and_types_and_prints_reasons(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = built(
        data,
        "--time",
        "when",
        "--prediction",
        "score",
        "--label",
        "paid",
        "--type",
        "zip=categorical",
        "--version",
        "7",
    )
    output = capsys.readouterr().out
    kinds = {feature.name: (feature.kind, feature.side) for feature in profile.features}
    assert kinds == {
        "amount": ("numeric", "input"),
        "zip": ("categorical", "input"),
        "member": ("boolean", "input"),
        "score": ("numeric", "prediction"),
        "loss": ("numeric", "label"),
        "loss:by_score": ("integer", "label"),
    }
    assert "00501" in profile.feature("zip").labels
    assert profile.sent_columns == ("amount", "zip", "member", "row id")
    assert profile.reference.split == "days"
    assert "ranking: 1 - AUC of score for paid" in output
    assert re.search(r"task: ranking, inferred from score and paid; change it with --task", output)
    assert re.search(r"row id +new in every block", output)
    assert "4,000 rows" in output
    assert "s since 1970" in output


@pytest.mark.long
def test_build_prints_the_commands_for_a_cluster(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built(data, "--exclude", "row id", "--model", "My Model", "--version", "7.1", out="p q.json.gz")
    output = capsys.readouterr().out
    assert (
        f"kubectl create configmap my-model-7-1-profile --from-file=profile.json.gz='{data.parent}/p q.json.gz'"
        in output
    )
    assert 'profiles: [{version: "7.1", configMap: my-model-7-1-profile}]' in output


def test_build_prints_the_lines_for_this_machine_first(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built(data, "--exclude", "row id", "--model", "m", "--version", "7.1", out='p "q".json')
    output = capsys.readouterr().out
    snippet = re.search(r"in the document monitor\.yaml: (profiles: .*)", output)
    assert snippet is not None
    assert output.index("pilotfish run -f monitor.yaml") < output.index("kubectl")
    spec = f"{{{snippet[1]}, model: {{version: '7.1'}}}}"
    document = f"apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {{name: m}}\nspec: {spec}\n"
    (source,) = parse(document.encode(), "printed", {}, cluster=False).spec.profiles
    assert source.version == "7.1"
    assert Path(str(source.path)) == (data.parent / 'p "q".json').absolute()


@pytest.mark.long
def test_compression_does_not_change_the_profile(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = built(data, "--exclude", "row id")
    packed = built(data, "--exclude", "row id", out="profile.json.gz")
    assert plain.features[0].reference_counts.tolist() == packed.features[0].reference_counts.tolist()
    assert json.loads((data.parent / "profile.json").read_bytes())["format"].startswith("pilotfish.dev/profile")
    assert (data.parent / "profile.json.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert not list(data.parent.glob("*.new"))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--time", "whn"], "--time whn: there is no such column; did you mean 'when'?"),
        (["--exclude", "xyzzy"], "the columns are"),
        (["--prediction", "score", "--label", "score"], "'score' is given by --prediction and --label"),
        (["--type", "zip=words"], "one of array, boolean, categorical, integer, numeric, text"),
        (["--type", "zip"], "give COL=KIND"),
        (["--time", "zip"], "would be times before 1980"),
        (["--time", "member"], "have no time"),
        (["--time", "when", "--rows-per-tick", "5"], "contradict each other"),
        (["--time", "when", "--exchangeable"], "contradict each other"),
        (["--tick", "60"], "a duration with its unit"),
        (["--tick", "0s"], "a duration with its unit"),
        (["--rows-per-tick", "0"], "rows_per_tick must be at least 1"),
        (["--delimiter", ";;"], "give one character"),
        (["--exclude", "row id", "--out", "/nonexistent/x.json"], "cannot be written"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_the_remedy(
    data: Path, options: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = refused(capsys, "build", str(data), "--out", str(data.parent / "p.json"), *options)
    assert what in output
    assert not (data.parent / "p.json").exists()


def test_rows_without_a_time_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    rows = [f"2024-01-01T00:{index // 60:02d}:{index % 60:02d}Z,{index * 7919 % 100}" for index in range(1000)]
    path.write_text("\n".join(["t,x", *rows, "NA,5"]) + "\n")
    assert built(path, "--time", "t").reference.rows == 1000
    assert "1 rows have no time and were left out" in capsys.readouterr().out


@pytest.mark.long
def test_words_that_count_as_missing_are_named_and_can_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random, path = np.random.default_rng(3), tmp_path / "rows.csv"
    countries = random.choice(["CH", "NA", "DE"], 3000)
    path.write_text("country,x\n" + "".join(f"{country},{random.random()}\n" for country in countries))
    found = built(path, "--rows-per-tick", "10")
    note = f"missing: 'NA' in {np.sum(countries == 'NA'):,} cells of country; if a word is a category, keep it with"
    assert note in " ".join(capsys.readouterr().out.split())
    assert "NA" not in found.feature("country").labels
    kept = built(path, "--rows-per-tick", "10", "--keep-word", "NA")
    assert "missing:" not in capsys.readouterr().out
    assert "NA" in kept.feature("country").labels


@pytest.mark.long
@pytest.mark.parametrize(
    ("every", "text", "remedy"),
    [
        (
            200,
            "err",
            "column price: text in 25 of 5,000 cells counts as missing, e.g. 'err'; give --na TEXT if it means missing",
        ),
        (10, "-", "text in 500 of 5,000 cells, e.g. '-'; give --type price=numeric or --na TEXT"),
        (1, "$51.{row}", "text in 5,000 of 5,000 cells, e.g. '$51.0'; write them as plain numbers"),
    ],
)
def test_text_among_numbers_is_reported_with_the_remedy(
    tmp_path: Path, every: int, text: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    random, path = np.random.default_rng(3), tmp_path / "rows.csv"
    prices = [f"{random.normal(50):.6f}" if row % every else text.format(row=row) for row in range(5000)]
    path.write_text("price,x\n" + "".join(f"{price},{random.random()}\n" for price in prices))
    built(path, "--rows-per-tick", "10")
    output = capsys.readouterr().out
    assert remedy in " ".join(output.split())
    assert "5,000 rows in 500 ticks" in output
    assert "rows per tick: 10" in output
    if every > 1:
        assert "price" in built(path, "--type", "price=numeric").index
        assert "price" in built(path, "--na", text).index


def test_the_smallest_numbers_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    path = tmp_path / "rows.csv"
    random = np.random.default_rng(3)
    path.write_text("x\n" + "".join(f"{(1 + random.random()) * 1e-310}\n" for _ in range(2000)))
    built(path)
    assert cli.main(["profile", "show", str(tmp_path / "profile.json")]) == 0
    output = capsys.readouterr()
    assert re.search(r"x +numeric +[▁▂▃▄▅▆▇█]{24} +1\.0\d*e-310 … 1\.9\d*e-310 ", output.out)
    assert "Warning" not in output.out + output.err


@pytest.mark.long
def test_parquet_and_csv_give_the_same_profile(data: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    texts = pyarrow.csv.ConvertOptions(column_types={"zip": pa.string()}, strings_can_be_null=True)
    table = pyarrow.csv.read_csv(str(data), convert_options=texts)
    table = table.append_column("lists", pa.array([[1]] * ROWS)).append_column(
        "day", pa.array([19_000] * ROWS, pa.date32())
    )
    path = data.parent / "rows.parquet"
    pq.write_table(table, path)
    options = ["--time", "when", "--exclude", "row id", "--label", "paid", "--prediction", "score"]
    found, expected = built(path, *options, "--exclude", "day"), built(data, *options)
    for feature in expected.features:
        other = found.feature(feature.name)
        assert (other.kind, other.reference_counts.tolist()) == (feature.kind, feature.reference_counts.tolist())


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    assert "cannot be read as Parquet" in refused(capsys, "build", str(path), "--out", str(tmp_path / "p.json"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    output = refused(capsys, "build", str(path), "--out", str(tmp_path / "p.json"))
    assert "pip install 'pilotfish[parquet]'" in output


def test_show_counts_one_thing_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,score\n" + "".join(f"{row % 7},{row % 5}\n" for row in range(1000)))
    built(path, "--prediction", "score")
    assert cli.main(["profile", "show", str(tmp_path / "profile.json")]) == 0
    assert re.search(r"monitored +1 input, 1 prediction\n", capsys.readouterr().out)


@pytest.mark.long
def test_show_has_one_line_per_column_in_the_order_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random, path = np.random.default_rng(1), tmp_path / "rows.csv"
    lines = ["note,zeta,alpha"]
    for _ in range(2000):
        x, words = random.normal(), " ".join(random.choice(["one", "two", "three", "seven"], random.integers(3, 9)))
        lines.append(f"{words} x,{x:.4f},{x + random.normal():.4f}")
    path.write_text("\n".join(lines))
    built(path, "--exchangeable", "--type", "note=text")
    capsys.readouterr()
    assert cli.main(["profile", "show", str(tmp_path / "profile.json")]) == 0
    shown = capsys.readouterr().out
    assert re.findall(r"^(?:note|zeta|alpha|residual|mahalanobis|cosine)\S*", shown, re.MULTILINE) == [
        "note",
        "zeta",
        "alpha",
    ]
    assert re.search(r"relations +\d+ measures of relations between 2 columns\n", shown)
    assert re.search(r"not shown: 7 more of note, \d+ measures of relations between 2 columns; --all lists them", shown)
    assert cli.main(["profile", "show", "--all", str(tmp_path / "profile.json")]) == 0
    everything = capsys.readouterr().out
    assert re.search(r"^note:length", everything, re.MULTILINE)
    assert re.search(r"relations\n  zeta +with alpha\n  alpha +with zeta\n", everything)


@pytest.mark.long
@pytest.mark.parametrize("columns", [60, 100, 160])
def test_show_fits_the_terminal(
    profile: Path, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", str(columns))
    assert cli.main(["profile", "show", str(profile)]) == 0
    output = capsys.readouterr().out
    table = output.split("\n\n")[1]
    assert max(map(len, table.splitlines())) <= columns
    assert re.search(r"amount +(numeric +)?[▁▂▃▄▅▆▇█]+", table)
    assert ("numeric" in table) == (columns > 60)
    assert re.search(r"amount .* 1[01]\.\d%", table)


def test_names_cannot_write_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\x1b[31m[red]x,y\n" + "".join(f"{index % 7},\x1b]0;t\x07{index % 3}\n" for index in range(500)))
    built(path)
    assert cli.main(["profile", "show", str(tmp_path / "profile.json")]) == 0
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert "[red]x" in output


@pytest.mark.long
def test_diff_shows_changed_added_and_removed_features(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = write_rows(profile.parent / "moved.csv", shift=3.0, seed=2)
    built(
        moved, "--time", "when", "--exclude", "row id", "--exclude", "zip", "--type", "member=categorical", out="b.json"
    )
    capsys.readouterr()
    before, after = str(profile), str(profile.parent / "b.json")
    assert cli.main(["profile", "diff", before, after]) == 0
    output = capsys.readouterr().out
    scores = {name: float(psi) for name, psi in re.findall(r"^(\w+) +(\d\.\d+) \(", output, re.MULTILINE)}
    assert scores["amount"] > 0.5
    assert scores["score"] < 0.05
    assert re.search(r"removed \(1\)\n +zip", output)
    assert read_profile(Path(before)).hash in output


def test_diff_of_a_profile_with_itself_reports_identity(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    path = str(profile)
    assert cli.main(["profile", "diff", path, path]) == 0
    assert "The profiles are identical." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "not a JSON document"),
        (b"{}", "format"),
        (b"\x1f\x8bxx", "damaged"),
        (gzip.compress(b"{}" * 1000, mtime=0)[:-9], "cut off"),
        (b"[" * 200_000, "not a JSON document"),
    ],
)
def test_a_broken_profile_is_refused_with_the_reason(
    tmp_path: Path, raw: bytes, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(raw)
    assert what in refused(capsys, "show", str(path))


@pytest.mark.long
def test_decompression_is_limited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "profile.json.gz"
    path.write_bytes(gzip.compress(b" " * (65 * 1024 * 1024)))
    assert "larger than" in refused(capsys, "show", str(path))


def test_a_missing_profile_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file" in refused(capsys, "show", str(tmp_path / "none.json"))
