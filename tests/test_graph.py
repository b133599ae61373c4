# SPDX-License-Identifier: Apache-2.0
"""Differentiation of numbers: finite differences, second derivatives by published formulas."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from fractions import Fraction

import pytest

from chainrule import graph
from chainrule.graph.fma import emulated_fma

FUNCTIONS = {
    "sum": lambda x, y: x + y + 2.0,
    "difference": lambda x, y: 3.0 - (x - y),
    "product": lambda x, y: x * y * 2.0 * x,
    "quotient": lambda x, y: x / y + 2.0 / x,
    "power": lambda x, y: x**3 + x**-0.5 + x**y + 2.0**y,
    "negative": lambda x, y: -x * y,
    "exp": lambda x, y: graph.exp(x * y),
    "log": lambda x, y: graph.log(x + y),
    "tanh": lambda x, y: graph.tanh(x - y),
    "sigmoid": lambda x, y: graph.sigmoid(x - 3.0 * y),
    "relu": lambda x, y: graph.relu(x - y) + graph.relu(y - x),
    "sin": lambda x, y: graph.sin(x) * graph.cos(y),
    "max": lambda x, y: graph.max(x, y, 0.1) * x,
    "n-ary sum": lambda x, y: graph.sum(x, y, x * y, 1.0),
    "softmax": lambda x, y: graph.softmax(x, y, 0.5)[1] * x,
}


def value(function, x: float, y: float) -> float:
    return function(*graph.variables(x=x, y=y)).value


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("at", [(0.7, 1.9), (2.3, 0.4)])
def test_gradients_equal_differences(name: str, at: tuple[float, float]) -> None:
    f, h = FUNCTIONS[name], 1e-6
    x, y = graph.variables(x=at[0], y=at[1])
    z = f(x, y)
    z.backward()
    dx = (value(f, at[0] + h, at[1]) - value(f, at[0] - h, at[1])) / (2 * h)
    dy = (value(f, at[0], at[1] + h) - value(f, at[0], at[1] - h)) / (2 * h)
    assert x.gradient == pytest.approx(dx, rel=1e-7, abs=1e-8)
    assert y.gradient == pytest.approx(dy, rel=1e-7, abs=1e-8)
    # The graph of the gradient has the same value, and its own gradient is the second derivative.
    slope = graph.gradient(z, x)
    assert slope.value == pytest.approx(x.gradient, rel=1e-14)

    def slope_at(y: float) -> float:
        variables = graph.variables(x=at[0], y=y)
        z = f(*variables)
        z.backward()
        return variables[0].gradient

    mixed = graph.gradient(slope, y).value
    expected = (slope_at(at[1] + h) - slope_at(at[1] - h)) / (2 * h)
    assert mixed == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_a_node_used_twice_adds_up_its_gradients() -> None:
    (x,) = graph.variables(x=3.0)
    z = x * x + x
    z.backward()
    assert x.gradient == 7.0


def test_backward_from_an_inner_node_is_of_that_node() -> None:
    x, y = graph.variables(x=3.0, y=5.0)
    inner = x * y
    outer = inner * 2.0
    outer.backward()
    assert x.gradient == 10.0
    inner.backward()
    assert (x.gradient, y.gradient, inner.gradient) == (5.0, 3.0, 1.0)


# Published second derivatives: of the standard functions (Abramowitz and Stegun, 3.3, 4.2, 4.5), of
# softmax's cross-entropy (Bishop, 2006, (4.110)), and of Rosenbrock's function (1960).
SECOND = {
    "exp": (graph.exp, math.exp),
    "log": (graph.log, lambda x: -1.0 / x**2),
    "sin": (graph.sin, lambda x: -math.sin(x)),
    "cos": (graph.cos, lambda x: -math.cos(x)),
    "tanh": (graph.tanh, lambda x: -2.0 * math.tanh(x) / math.cosh(x) ** 2),
    "sigmoid": (
        graph.sigmoid,
        lambda x: -math.tanh(x / 2) / (4.0 * math.cosh(x / 2) ** 2),
    ),
    "fifth power": (lambda x: x**5, lambda x: 20.0 * x**3),
    "reciprocal": (lambda x: 1.0 / x, lambda x: 2.0 / x**3),
}


@pytest.mark.parametrize("name", SECOND)
@pytest.mark.parametrize("at", [0.3, 1.7])
def test_second_derivatives_equal_published_formulas(name: str, at: float) -> None:
    function, formula = SECOND[name]
    (x,) = graph.variables(x=at)
    second = graph.gradient(graph.gradient(function(x), x), x)
    assert second.value == pytest.approx(formula(at), rel=1e-12)


def test_rosenbrocks_hessian() -> None:
    x, y = graph.variables(x=-1.2, y=1.0)
    z = (1.0 - x) ** 2 + 100.0 * (y - x**2) ** 2
    hessian = [[graph.gradient(graph.gradient(z, a), b).value for b in (x, y)] for a in (x, y)]
    assert hessian == [
        [pytest.approx(1330.0), pytest.approx(480.0)],
        [pytest.approx(480.0), pytest.approx(200.0)],
    ]


def test_hessian_of_cross_entropy_by_logits() -> None:
    logits = graph.variables(a=0.2, b=-1.0, c=0.7)
    loss = -graph.log(graph.softmax(*logits)[1])
    total = sum(math.exp(z.value) for z in logits)
    p = [math.exp(z.value) / total for z in logits]
    for j, a in enumerate(logits):
        slope = graph.gradient(loss, a)
        assert slope.value == pytest.approx(p[j] - (j == 1), rel=1e-12)
        for k, b in enumerate(logits):
            expected = p[j] * ((j == k) - p[k])
            assert graph.gradient(slope, b).value == pytest.approx(expected, rel=1e-12)


def test_a_derivative_by_what_does_not_count_is_zero() -> None:
    x, y = graph.variables(x=1.0, y=2.0)
    assert graph.gradient(x * 3.0, y).value == 0.0
    assert graph.gradient(graph.gradient(x * 3.0, x), x).value == 0.0
    assert graph.gradient(x, x).value == 1.0


def test_the_graph_of_a_gradient_has_no_factors_of_1_and_terms_of_0() -> None:
    x, w = graph.variables(x=2.0, w=3.0)
    assert graph.gradient(x * w, x) is w
    assert graph.gradient(graph.exp(x), x).operation.name == "exp"
    assert str(graph.gradient(x * w + x * x, x)) == "x + (x + w)"
    assert str(graph.gradient((x * w) ** 2, x)) == "w * (2 * (x * w))"


def test_a_thousand_steps_need_no_recursion() -> None:
    (x,) = graph.variables(x=1.0)
    z = x
    for _ in range(5000):
        z = z * 1.0001
    z.backward()
    assert x.gradient == pytest.approx(1.0001**5000)
    assert len(str(z)) <= 60


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x: graph.Node(math.nan, "weight"), "node weight is nan"),
        (lambda x: graph.log(x - 3.0), r"node log\(x - 3\) is nan, where x - 3 is -1"),
        (lambda x: graph.log(x), None),
        (lambda x: 1.0 / (x - 2.0), r"node 1 / \(x - 2\) is nan, where x - 2 is 0"),
        (lambda x: graph.exp(x * 1000.0), r"node exp\(x \* 1000\) is nan, where x \* 1000 is 2000"),
        (lambda x: (x * 1e300) * 1e300, r"node \(x \* 1e\+300\) \* 1e\+300 is inf"),
        (lambda x: (-x) ** 0.5, r"node \(-1 \* x\) \*\* 0.5 is nan"),
    ],
)
def test_numbers_that_are_not_finite_name_their_node(make, text: str | None) -> None:
    (x,) = graph.variables(x=2.0)
    if text is None:
        make(x)
        return
    with pytest.raises(ValueError, match=text):
        make(x)


def test_derivatives_that_are_not_finite_name_their_node() -> None:
    (x,) = graph.variables(x=0.0)
    z = x**0.5
    with pytest.raises(ValueError, match=r"node x \*\* 0.5 has no finite derivative"):
        z.backward()
    assert x.gradient is None
    (x,) = graph.variables(x=1e-200)
    z = 1.0 / x
    with pytest.raises(ValueError, match="node x"):
        z.backward()


def test_table() -> None:
    x, w = graph.variables(x=2.0, w=0.5)
    z = graph.tanh(x * w + 1.0)
    z.name = "z"
    lines = z.table().splitlines()
    assert lines[0].split() == ["node", "is", "value", "d", "node", "/", "d", "inputs", "gradient"]
    assert lines[1].split() == ["x", "2"]  # no gradient yet
    z.backward()
    rows = [line.split("  ") for line in z.table().splitlines()]
    last = [cell.strip() for cell in rows[-1] if cell]
    slope = 1.0 - math.tanh(2.0) ** 2
    assert last == ["z", "tanh(v2)", f"{math.tanh(2.0):.6g}", f"{slope:.6g}", "1"]
    assert x.gradient == pytest.approx(slope * 0.5)


def test_drawing_is_svg_with_all_numbers() -> None:
    x, y, w = graph.variables(x=1.0, y=2.0, w=3.0)
    z = (x + y) * w
    z.backward()
    text = z.to_svg()
    assert z._repr_svg_() == text
    root = ET.fromstring(text)
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{svg}svg"
    assert len(root.findall(f"{svg}rect")) == 5
    assert len(root.findall(f"{svg}path")) == 4
    texts = [element.text for element in root.iter(f"{svg}text")]
    assert {"x", "y", "w", "v1 = x + y", "v2 = v1 * w", "9", "gradient 3", "gradient 1"} <= set(
        texts
    )
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_no_two_nodes_of_a_drawing_overlap() -> None:
    names = graph.variables(**{f"x{i}": 0.1 * i for i in range(6)})
    z = graph.sum(*(graph.tanh(a * b) for a in names for b in names[:3]))
    root = ET.fromstring(z.to_svg())
    boxes = [
        (float(rect.get("x")), float(rect.get("y")))
        for rect in root.findall("{http://www.w3.org/2000/svg}rect")
    ]
    assert len(set(boxes)) == len(boxes)
    for i, (x1, y1) in enumerate(boxes):
        for x2, y2 in boxes[:i]:
            assert abs(x1 - x2) >= 132 or abs(y1 - y2) >= 58


def test_a_graph_too_large_to_draw_says_so() -> None:
    (x,) = graph.variables(x=1.0)
    z = graph.sum(*(x * float(i) for i in range(200)))
    with pytest.raises(ValueError, match="up to 300 can be drawn"):
        z.to_svg()
    assert z._repr_svg_() is None
    assert len(z.table().splitlines()) == 203


def test_names_of_nodes_are_escaped() -> None:
    node = graph.Node(1.0, "<script>") * 2.0
    assert "<script>" not in node.to_svg()


# a, b and c spread over all exponents, among them subnormal numbers, and sums that nearly cancel.
def triples(rng, count: int):
    for _ in range(count):
        exponents = rng.integers(-1074, 1024, 3)
        a, b, c = (math.ldexp(rng.uniform(-2, 2), int(e)) for e in exponents)
        yield a, b, c
        low = rng.integers(-500, 500)
        a, b = (math.ldexp(rng.uniform(-2, 2), int(low)) for _ in range(2))
        product = a * b
        yield a, b, -product
        yield a, b, -product * (1.0 + 2.0**-52)
        yield math.ldexp(a, -int(low) - 540), math.ldexp(b, -int(low) - 530), 5e-324


def rounded(exact: Fraction) -> float:
    """Return the nearest float, by comparing with the floats around it alone."""
    guess = math.ldexp(1.0, -1074) if exact == 0 else float(exact)
    for _ in range(3):
        around = [math.nextafter(guess, -math.inf), guess, math.nextafter(guess, math.inf)]
        guess = min(
            around,
            key=lambda f: (abs(Fraction(f) - exact), Fraction(f) / Fraction(math.ulp(f)) % 2),
        )
    return guess


def test_emulated_fma_rounds_the_exact_sum_once(rng) -> None:
    checked = 0
    for a, b, c in triples(rng, 4000):
        exact = Fraction(a) * Fraction(b) + Fraction(c)
        if abs(exact) >= Fraction(2) ** 1024 - Fraction(2) ** 970:
            with pytest.raises(OverflowError):
                emulated_fma(a, b, c)
            continue
        assert emulated_fma(a, b, c) == rounded(exact)
        checked += 1
    assert checked > 10_000


@pytest.mark.parametrize(
    ("a", "b", "c", "expected"),
    [
        (0.0, 1.0, 0.0, 0.0),
        (-0.0, 1.0, -0.0, -0.0),
        (-0.0, 1.0, 0.0, 0.0),
        (2.0, 3.0, -6.0, 0.0),
        (-2.0, 3.0, 6.0, 0.0),
        (1e-200, -1e-200, 0.0, -0.0),
        (1e300, 1e300, -math.inf, -math.inf),
        (math.inf, -1.0, 5.0, -math.inf),
        (math.nan, 1.0, 1.0, math.nan),
        (1.0, 1.0, math.nan, math.nan),
    ],
)
def test_emulated_fma_of_zeros_and_infinities(a, b, c, expected) -> None:
    result = emulated_fma(a, b, c)
    assert repr(result) == repr(expected)
    if hasattr(math, "fma"):
        assert repr(math.fma(a, b, c)) == repr(expected)


@pytest.mark.parametrize(("a", "b", "c"), [(math.inf, 0.0, 1.0), (math.inf, 1.0, -math.inf)])
def test_emulated_fma_refuses_what_has_no_value(a, b, c) -> None:
    with pytest.raises(ValueError, match="invalid operation in fma"):
        emulated_fma(a, b, c)
