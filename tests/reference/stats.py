"""The statistics' values as SciPy computes them, as a C header:

    /usr/bin/python3 tests/reference/stats.py | clang-format --assume-filename=tests/unit/stats_scipy.h >tests/unit/stats_scipy.h

Debian: python3-scipy. The bootstrap is the only thing that is drawn: with the seed that stands in the header,
and as often as makes its own error a tenth of that of the drawing that is tested.
"""
import numpy
import scipy
from scipy import special, stats

DRAWS = 1000000
TESTED_DRAWS = 10000
SEED = 20260101
twelve = [0.02, 0.05, 0.11, 0.14, 0.18, 0.23, 0.31, 0.36, 0.44, 0.57, 0.83, 1.90]
nine = [0.61, 0.66, 0.72, 0.93, 1.02, 1.17, 1.31, 2.05, 2.90]
six = [-0.31, -0.04, 0.00, 0.02, 0.05, 1.7]
thirty = [round(float(x), 6) for x in stats.lognorm(1).ppf((numpy.arange(30) + 0.5) / 30)]


def numbers(values):
    return ", ".join(repr(float(value)) for value in values)


def array(name, values):
    print(f"static const double {name}[] = {{{numbers(values)}}};")


def interval(values):
    """Of the median, 95 %, exact."""
    rank = int(stats.binom.ppf(0.025, len(values), 0.5))
    return sorted(values)[rank - 1], sorted(values)[-rank]


def median_of(draw, values):
    values = numpy.array(values)
    n = len(values)
    out = numpy.empty(DRAWS)
    for first in range(0, DRAWS, 50000):
        picks = draw.integers(0, n, size=(50000, n))
        out[first:first + 50000] = numpy.median(values[picks], axis=1)
    return out


def limits(draw, base, arm):
    """What 2.5 and 97.5 % may be of DRAWS differences when 10000 are drawn: three standard errors to both sides."""
    differences = median_of(draw, arm) - median_of(draw, base)
    error = 3 * (0.025 * 0.975 / TESTED_DRAWS) ** 0.5
    return numpy.quantile(differences, [0.025 - error, 0.025 + error, 0.975 - error, 0.975 + error])


print(f"/* Written by tests/reference/stats.py: SciPy {scipy.__version__}, NumPy {numpy.__version__}. Do not edit. */")
print("#ifndef HM_TESTS_STATS_SCIPY_H\n#define HM_TESTS_STATS_SCIPY_H\n")
for name, values in (("twelve", twelve), ("nine", nine), ("six", six), ("thirty", thirty)):
    array(f"py_{name}", values)

print("\n/* special.betainc(a, b, x), at sizes that the binomial tail of many rounds needs */")
print("static const struct {\n    double a, b, x, value;\n} py_beta[] = {")
for a, b, x in ((10000, 10000, 0.501), (9000, 300, 0.97), (0.1, 5000, 1e-6), (2500, 0.5, 0.9999), (50, 60, 0.3)):
    print(f"    {{{numbers((a, b, x, special.betainc(a, b, x)))}}},")
print("};\n\n/* stats.t.sf(t, freedom), far out */")
print("static const struct {\n    double t, freedom, upper;\n} py_student[] = {")
for t, freedom in ((60, 5), (1e4, 3), (12, 29), (25, 11), (0.001, 7)):
    print(f"    {{{numbers((t, freedom, stats.t.sf(t, freedom)))}}},")
print("};\n\n/* The geometric mean of three cells in each of 8 rounds, stats.gmean; the median of these, and the interval of")
print(" * the order statistics at k = stats.binom.ppf(0.025, n, 0.5) from either end */")
cells = numpy.array([[2, 3, 2.5, 2.2, 9, 2.1, 2.7, 1.9], [0.5, 0.45, 0.6, 0.51, 0.5, 0.48, 0.1, 0.52],
                     [1, 1.1, 0.98, 1.02, 1.5, 1, 0.99, 1.01]])
means = stats.gmean(cells, axis=0)
for i, cell in enumerate(cells):
    array(f"py_cell_{i}", cell)
array("py_family", [numpy.median(means), *interval(means)])
print("\n/* The same intervals of the first n of py_thirty. */")
print("static const struct {\n    unsigned n;\n    double low, high;\n} py_median[] = {")
for n in (6, 8, 12, 20, 30):
    print(f"    {{{n}, {numbers(interval(thirty[:n]))}}},")
print("};\n")
print(f"/* Bootstrap of the difference of medians: {DRAWS} draws with NumPy's default_rng({SEED}); the ends of the range")
print(f" * in which 2.5 and 97.5 % of {TESTED_DRAWS} draws lie. base, arm as named. */")
draw = numpy.random.default_rng(SEED)
for name, base, arm in (("twelve_nine", twelve, nine), ("six_nine", six, nine), ("thirty_six", thirty, six),
                        ("thirty_thirty", thirty, thirty)):
    array(f"py_boot_{name}", limits(draw, base, arm))
print("\n/* numpy.percentile(.., method='inverted_cdf'), which is the nearest rank, of the 2000 whole numbers")
print(" * 100 + (i * 2654435761 mod 2^32) / 2^32 ^ 8 * 1000000, rounded down. */")
i = numpy.arange(1, 2001, dtype=numpy.uint64)
share = ((i * numpy.uint64(2654435761)) % numpy.uint64(2 ** 32)).astype(float) / 2.0 ** 32
values = 100 + numpy.floor(share ** 8 * 1e6)
array("py_shares", [0.5, 0.9, 0.99, 0.995])
array("py_percentiles", [numpy.percentile(values, 100 * q, method="inverted_cdf") for q in (0.5, 0.9, 0.99, 0.995)])
print("\n/* Yuen: ttest_ind(base, arm + shift, equal_var=False, trim=share), of py_thirty and py_twelve: statistic, p. */")
print("static const struct {\n    double share, shift, t, p;\n} py_yuen[] = {")
for share in (0.0, 0.1, 0.2, 0.3):
    for shift in (0.0, 0.5, 2.0):
        t = stats.ttest_ind(thirty, numpy.array(twelve) + shift, equal_var=False, trim=share)
        print(f"    {{{numbers((share, shift, t.statistic, t.pvalue))}}},")
print("};")
print("\n#endif")
