"""Matrices with a structure equal the dense ones with the same elements."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from recurro import BlockDiagonal, Diagonal, Sparse, cells
from recurro.engine import Structure, recurrence, scan, trace
from recurro.engine.cpu import obstacle, run_cpu
from recurro.engine.layout import slices, window
from recurro.engine.lower import lower
from recurro.engine.reference import Request, run_reference
from recurro.engine.scan import run_scan
from recurro.errors import ArgumentError
from tests.cells.test_contract import PLAIN, reads_state
from tests.engine.test_cpu import results

RECURRENT = [
    cell for cell in PLAIN if reads_state(cell) and not getattr(cell, "proj_size", 0)
]


def sparse(units, seed=0):
    return Sparse.random(units, 3, torch.Generator().manual_seed(seed))


def request_of(
    cell, structure, hidden, batch=3, time=3, dtype=torch.float64, **options
):
    """A run with random inputs, states and parameters, all wanting gradients."""
    made = recurrence(cell, 2, hidden, recurrent=structure)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape, scale=1.0):
        values = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return values.to(dtype).requires_grad_()

    stored = {name: draw(*s, scale=0.5) for name, s in made.program.parameters}
    state = tuple(draw(batch, width) for _, width in made.program.state)
    inputs = (draw(time, batch, 2),)
    return Request(made.cell, made.program, stored, inputs, state, **options)


def run_dense(request):
    """The same run through dense matrices, of the same elements and the same leaves."""
    program = trace(request.cell, 2, request.program.state[-1][1])
    stored = {}
    for name, tensor in request.stored.items():
        structure = request.program.structure(name)
        stored[name] = structure.dense(tensor) if structure else tensor
    return run_reference(
        Request(request.cell, program, stored, request.inputs, request.state)
    )


def assert_close(got, wanted, rtol=1e-9):
    torch.testing.assert_close(got, wanted, rtol=rtol, atol=rtol)


# -- products --------------------------------------------------------------------------


def brute(structure, elements, units):
    """The dense matrix, element by element."""
    whole = np.zeros((units, units))
    if isinstance(structure, Diagonal):
        for i in range(units):
            whole[i, i] = elements[i]
    elif isinstance(structure, BlockDiagonal):
        size = units // structure.blocks
        for i in range(units):
            for j in range(units):
                if i // size == j // size:
                    whole[i, j] = elements[i // size, i % size, j % size]
    else:
        matrix = scipy.sparse.csr_array(
            (elements, structure.indices, structure.indptr), shape=(units, units)
        )
        whole = matrix.toarray()
    return whole


@pytest.mark.parametrize(
    "structure", [Diagonal(), BlockDiagonal(3), BlockDiagonal(1), sparse(6)], ids=str
)
def test_products_and_their_gradients(structure):
    elements = torch.randn(structure.shape(6), dtype=torch.float64)
    whole = torch.from_numpy(brute(structure, elements.numpy(), 6))
    assert_close(structure.dense(elements), whole)
    left, right = torch.randn(2, 5, 6, dtype=torch.float64)
    assert_close(structure.multiply(elements, right), right @ whole.T)
    elements.requires_grad_()
    (structure.multiply(elements, right) * left).sum().backward()
    assert_close(structure.outer(left, right), elements.grad)
    view = structure.matrices(elements.detach())
    if not view.is_sparse:
        assert view.data_ptr() == elements.data_ptr()
    assert (
        copy.deepcopy(structure) == pickle.loads(pickle.dumps(structure)) == structure
    )


def test_a_long_sum_of_products_is_made_in_pieces():
    structure = sparse(40)
    left, right = torch.randn(2, 2000, 40, dtype=torch.float64)
    whole = left.T @ right
    rows = np.repeat(np.arange(40), 3)
    wanted = whole[rows, structure.indices.copy()]
    assert_close(structure.outer(left, right), wanted)


@pytest.mark.parametrize(("units", "per_row"), [(1, 1), (7, 7), (50, 4), (300, 1)])
def test_random_patterns(units, per_row):
    pattern = Sparse.random(units, per_row, torch.Generator().manual_seed(0))
    assert pattern == Sparse.random(units, per_row, torch.Generator().manual_seed(0))
    columns = pattern.indices.reshape(units, per_row)
    assert all(len(set(row)) == per_row for row in columns.tolist())
    assert (np.diff(columns, axis=1) > 0).all()
    if units > per_row:
        other = torch.Generator().manual_seed(1)
        assert pattern != Sparse.random(units, per_row, other)


@pytest.mark.parametrize(("units", "run"), [(50, 16), (32, 8), (20, 20), (7, 1)])
def test_runs_of_rows_see_runs_of_units(units, run):
    per_row = min(3, units - run + 1)
    pattern = Sparse.random(units, per_row, torch.Generator().manual_seed(0), run=run)
    columns = pattern.indices.reshape(units, per_row)
    for row in range(1, units):
        if row % run:
            np.testing.assert_array_equal(columns[row], columns[row - 1] + 1)
    assert columns.max() < units


def test_slices_know_where_columns_follow_each_other():
    generator = torch.Generator().manual_seed(0)
    pattern = Sparse.random(40, 3, generator, run=16)
    for lanes in (4, 16):
        s = slices(pattern, lanes, transposed=False)
        assert s.windows is not None
        columns = s.columns.view(-1, lanes)
        np.testing.assert_array_equal(s.windows, columns[:, 0])
        assert (np.diff(columns, axis=1) == 1).all()
    assert slices(Sparse.random(40, 3, generator), 4, transposed=False).windows is None


def test_random_patterns_favour_no_unit():
    generator = torch.Generator().manual_seed(0)
    counts = sum(
        np.bincount(Sparse.random(20, 5, generator).indices, minlength=20)
        for _ in range(200)
    )
    assert counts.sum() == 200 * 100
    assert (abs(counts - 1000) < 5 * (1000 * 0.75) ** 0.5).all()


# -- runs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "structure", [Diagonal(), BlockDiagonal(3), sparse(6)], ids=str
)
@pytest.mark.parametrize("cell", RECURRENT, ids=str)
def test_every_cell_equals_its_dense_equal(cell, structure):
    request = request_of(cell, structure, 6)
    assert_close(results(run_reference, request), results(run_dense, request))


def test_a_structure_is_for_the_square_matrices_of_the_state():
    cell = cells.DeepTransition(cells.ChoGRU(), 2)
    program = trace(cell, 6, 6, recurrent=Diagonal())
    shaped = {name for name, _ in program.structures}
    assert shaped == {n for n in program.shapes if n.startswith("U")}
    assert {program.shapes[n] for n in shaped} == {(6,)}
    assert program.shapes["W_r"] == (6, 6)


@pytest.mark.parametrize(
    ("cell", "structure", "hidden", "dtype"),
    [
        (cells.Leaky(0.3), Diagonal(), 5, torch.float64),
        (cells.Leaky(0.3), BlockDiagonal(4), 68, torch.float32),
        (cells.ChoGRU(), BlockDiagonal(12), 36, torch.float64),
        (cells.ChoGRU(), sparse(50), 50, torch.float64),
    ],
    ids=str,
)
def test_rendered_kernels(cell, structure, hidden, dtype):
    lengths = torch.tensor([3, 0, 2, 1, 3, 3, 2])
    for reverse in (False, True):
        options = {"dtype": dtype, "lengths": lengths, "reverse": reverse}
        request = request_of(cell, structure, hidden, 7, **options)
        assert obstacle(request) is None
        got, wanted = results(run_cpu, request), results(run_reference, request)
        assert_close(got, wanted, 1e-9 if dtype == torch.float64 else 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "structure", [Diagonal(), BlockDiagonal(3), sparse(6)], ids=str
)
@pytest.mark.parametrize("cell", RECURRENT, ids=str)
def test_rendered_kernels_of_every_cell(cell, structure):
    request = request_of(cell, structure, 6)
    assert_close(results(run_cpu, request), results(run_dense, request))


@st.composite
def patterns(draw):
    units = draw(st.integers(2, 40))
    chosen = st.sets(st.integers(0, units - 1), max_size=units)
    rows = draw(st.lists(chosen, min_size=units, max_size=units).filter(any))
    return np.cumsum([0, *map(len, rows)]).tolist(), [
        column for row in rows for column in sorted(row)
    ]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@example(([0, 0, 2, 2, 2], [0, 3]))
@example(([0, 4, 4, 4, 4], [0, 1, 2, 3]))
@given(patterns())
def test_slices_hold_each_entry_once(rows):
    pattern = Sparse(*rows)
    elements = torch.arange(1.0, 1 + len(pattern.indices), dtype=torch.float64)
    whole = brute(pattern, elements.numpy(), pattern.units)
    for lanes in (4, 16):
        for transposed in (False, True):
            s = slices(pattern, lanes, transposed)
            made = np.zeros((pattern.units + lanes, pattern.units))
            order = np.arange(pattern.units + lanes) if s.rows is None else s.rows
            for k, (column, entry) in enumerate(
                zip(s.columns.tolist(), s.entries.tolist(), strict=True)
            ):
                part = np.searchsorted(s.starts.numpy(), k // lanes, "right") - 1
                made[order[part * lanes + k % lanes], column] += elements[entry]
            for row, column, entry in zip(
                s.rest_rows, s.rest_columns, s.rest_entries, strict=True
            ):
                made[row, column] += elements[entry]
            wanted = whole.T if transposed else whole
            np.testing.assert_array_equal(made[: pattern.units], wanted)
            assert not made[pattern.units :].any()


PATTERNS = [  # of one size, so that they share their kernels
    Sparse([0, 0, 3, *[3] * 16, 4, 4], [0, 2, 3, 1]),  # rows without entries
    Sparse([0, 20, *[20] * 19], range(20)),  # one row sees all
    Sparse(range(21), [0] * 20),  # all see one
    Sparse.random(20, 20),
    Sparse.random(20, 3, torch.Generator().manual_seed(1)),
    Sparse.random(20, 3, torch.Generator().manual_seed(1), run=16),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_rendered_kernels_of_odd_patterns(dtype):
    for pattern in PATTERNS:
        request = request_of(cells.Leaky(0.3), pattern, pattern.units, 4, dtype=dtype)
        rtol = 1e-9 if dtype == torch.float64 else 1e-4
        assert_close(results(run_cpu, request), results(run_dense, request), rtol)


def test_what_a_row_does_not_see_does_not_touch_it():
    pattern = Sparse(range(21), [i ^ 1 for i in range(20)])
    request = request_of(cells.Leaky(0.3), pattern, 20)
    with torch.no_grad():
        request.state[0][0, 0] = torch.inf
        for runner in (run_cpu, run_reference):
            h = runner(request)[0][0]
            assert not h[:, 0, :2].isfinite().all()
            assert h[:, 0, 2:].isfinite().all()
            assert h[:, 1:].isfinite().all()


@pytest.mark.parametrize("cell", [cells.Leaky(), cells.GRU()], ids=str)
def test_a_lowered_program_has_no_diagonal(cell):
    program = trace(cell, 3, 4, recurrent=Diagonal())
    lowered = lower(program)
    assert not lowered.structures
    assert lowered.shapes == program.shapes
    assert {m[0] for op in lowered.affines() for m in op["matrices"]} == {"W"}
    vectors = {op["name"] for op in lowered.ops if op.name == "vector"}
    assert vectors == {name for name, _ in program.structures}
    dense = trace(cell, 3, 4)
    assert lower(dense) == dense


def test_a_window_holds_what_its_units_see():
    for blocks, units in ((1, 12), (3, 12), (4, 68), (12, 36), (36, 36), (5, 65)):
        size = units // blocks
        for step in (4, 8, 16, 64):
            length, start = window(BlockDiagonal(blocks), units, step)
            code = start.replace("/", "//").replace("?", "if_").strip("()")
            condition, rest = code.split(" if_ ")
            yes, no = rest.split(" : ")
            for u0 in range(0, units, step):
                names = {"u0": u0}
                k = eval(yes if eval(condition, names) else no, names)
                assert 0 <= k <= units - length
                for u in range(u0, min(u0 + step, units)):
                    assert k <= u // size * size
                    assert (u // size + 1) * size <= k + length


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sparse([0, 1], [1]), r"indices must be in \[0, 1\), got 1 to 1"),
        (lambda: Sparse([0, 1], [-1]), r"indices must be in \[0, 1\), got -1 to -1"),
        (lambda: Sparse([0, 2, 1, 3], [0, 1, 2]), "indptr must rise"),
        (lambda: Sparse([0, 1, 2], [0]), "indptr must rise from 0 to the 1 entries"),
        (lambda: Sparse([1, 1, 1], [0]), "indptr must rise"),
        (lambda: Sparse([0], []), "indptr must rise"),
        (lambda: Sparse([], []), "indptr must rise"),
        (lambda: Sparse([0, 0, 0], []), "must have an entry"),
        (lambda: Sparse([0, 1, 3], [0, 1, 0]), "ascend within a row.* in row 1"),
        (lambda: Sparse([0, 2, 2], [1, 1]), "ascend within a row.* in row 0"),
        (lambda: Sparse([0.0, 1.0], [0]), "indptr must be a row of whole numbers"),
        (lambda: Sparse([0, 1], [[0]]), "indices must be a row of whole numbers"),
        (lambda: Sparse.random(4, 5), r"per_row must be in \[1, units=4\], got 5"),
        (lambda: Sparse.random(4, 0), r"per_row must be in \[1, units=4\], got 0"),
        (lambda: Sparse.random(9, 3, run=8), r"units - run \+ 1=2\], got 3"),
        (lambda: Sparse.random(4, 1, run=5), r"run must be in \[1, units=4\], got 5"),
        (lambda: BlockDiagonal(0), "blocks must be an int >= 1, got 0"),
        (
            lambda: BlockDiagonal(3).shape(8),
            "must divide the units, got 3 blocks for 8",
        ),
        (lambda: sparse(5).shape(6), "got 5 rows for 6 units"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_structure_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_cell_without_such_a_matrix_is_refused():
    for cell in (cells.MinGRU(), cells.LSTM(proj_size=2)):
        with pytest.raises(ArgumentError, match="recurrent matrix of 4 by 4 units"):
            trace(cell, 3, 4, recurrent=Diagonal())


def test_structures_are_values():
    assert {Diagonal(), BlockDiagonal(2), sparse(5)} == {
        Diagonal(), BlockDiagonal(2), sparse(5)
    }  # fmt: skip
    assert sparse(5) != sparse(5, seed=1)
    assert BlockDiagonal(2) != BlockDiagonal(3)
    assert issubclass(Sparse, Structure)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_diagonal_linear_cell_is_scanned(reverse):
    request = request_of(cells.Linear(), Diagonal(), 6, time=20, reverse=reverse)
    assert scan.obstacle(request) is None
    assert_close(results(run_scan, request), results(run_reference, request))
    blocks = request_of(cells.Linear(), BlockDiagonal(3), 6)
    assert "not linear" in scan.obstacle(blocks)
